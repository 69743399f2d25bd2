"""`retint train`: train a network by a recipe."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retint.errors import OptionsError

if TYPE_CHECKING:
    from retint.train.recipe import Recipe


@click.command(name="train")
@click.argument("recipe", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Pictures: ZIP shards with manifest.csv, or any folder.",
)
@click.option("--backbones", type=click.Path(path_type=Path), help="Folder of pretrained encoders.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of the run  [default: runs/NAME]",
)
@click.option("--resume", type=click.Path(path_type=Path), help="Checkpoint to go on from.")
@click.option(
    "--from", "model", metavar="MODEL", help="Fine-tune: a model's name, its file, or a checkpoint."
)
@click.option(
    "--general",
    type=click.Path(path_type=Path),
    help="Pictures of all kinds, on which a fine-tuned model is measured too.",
)
@click.option(
    "--freeze",
    multiple=True,
    metavar="PART",
    help="Keep a part of the network as it is: encoder. Repeatable.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Stop this call after so long; resume later.",
)
@click.option(
    "--steps", type=click.IntRange(1), help="Stop this call after so many steps; resume later."
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change the recipe: schedule.minutes=30",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N")
@click.option(
    "--threads", type=click.IntRange(1), help="CPU threads  [default: all this process may use]"
)
def command(
    recipe: Path | None,
    data: Path | None,
    backbones: Path | None,
    output: Path | None,
    resume: Path | None,
    model: str | None,
    general: Path | None,
    freeze: tuple[str, ...],
    minutes: float | None,
    steps: int | None,
    changes: tuple[str, ...],
    device: str,
    threads: int | None,
) -> None:
    """Train a network by RECIPE, fine-tune a model (--from), or go on with a training (--resume).

    The length of a training and the fall of its learning rate are the recipe's; --minutes and
    --steps only end this call earlier. A checkpoint is written every few minutes, at the end, and
    on Ctrl-C. Under torchrun, several processes share one training.
    """
    if recipe is None and resume is None and model is None:
        raise click.UsageError("name a recipe, a model with --from, or a checkpoint with --resume")
    if resume is not None and (recipe or model or freeze):
        raise click.UsageError("a checkpoint has its recipe with it: change that with --set alone")
    try:
        import torch

        from retint.predict import available_threads
        from retint.train import machine
        from retint.train.loop import Training
        from retint.train.processes import Several
    except ModuleNotFoundError as error:
        raise OptionsError(f"training needs {error.name}: pip install 'retint[train]'") from None

    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = machine.device(device)
    if device == "cuda" and count > 1:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if device == "cpu":
        machine.keep_memory()
        torch.set_num_threads(threads or max(1, available_threads() // count))
    start = _model(model) if model else None
    chosen = None if resume else _recipe(recipe, start, freeze, changes)
    folder = output or (resume.parent if resume else Path("runs") / (chosen.name if chosen else ""))
    with Several(rank, count, device) if count > 1 else nullcontext() as processes:
        training = Training(
            chosen,
            data or shared("photos", "--data"),
            folder,
            backbones=backbones or shared("backbones"),
            resume=resume,
            changes=changes if resume else (),
            start=start,
            general=general,
            device=device,
            processes=processes,
            tell=lambda line: click.echo(line, err=True),
        )
        ended = training.run(minutes=minutes, steps=steps)
    if rank == 0:
        last = training.folder / "last.pt"
        click.echo(
            f"{last}: {training.step} steps, {training.seconds / 60:.1f} minutes; "
            + ("the schedule has ended" if ended else f"go on with --resume {last}")
        )


def _model(name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Family, Config and weights of a model known by name, or of a file."""
    from retint import export, hub

    return export.state_of(hub.weights(name) if hub.is_name(name) else Path(name))


def _recipe(
    path: Path | None, start: Any, freeze: tuple[str, ...], changes: tuple[str, ...]
) -> "Recipe":
    from dataclasses import replace

    from retint.train import recipe as recipes

    if path is not None:
        chosen = recipes.load(path, changes)
    else:
        chosen = recipes.changed(recipes.fine_tuning(bins="bins" in start[1]), changes)
    return replace(chosen, freeze=(*chosen.freeze, *freeze)) if freeze else chosen


def shared(folder: str, option: str | None = None) -> Path:
    """A folder of the material named by RETINT_SHARED, where an option was not given."""
    root = os.environ.get("RETINT_SHARED")
    if root is None and option is not None:
        raise click.UsageError(f"give {option}, or set RETINT_SHARED")
    return Path(root or "") / folder
