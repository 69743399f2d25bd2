"""`retint train`: train a network by a recipe."""

import ctypes
import os
import platform
from pathlib import Path

import click

from retint.errors import DeviceError, OptionsError


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
    minutes: float | None,
    steps: int | None,
    changes: tuple[str, ...],
    device: str,
    threads: int | None,
) -> None:
    """Train a network by RECIPE, or go on with one (--resume).

    The length of a training and the fall of its learning rate are the recipe's; --minutes and
    --steps only end this
    call earlier. A checkpoint is written every few minutes, at the end, and on Ctrl-C.
    """
    if recipe is None and resume is None:
        raise click.UsageError("name a recipe, or a checkpoint with --resume")
    if recipe is None and changes:
        raise click.UsageError("--set changes a recipe: name it too")
    try:
        import torch

        from retint.predict import available_threads
        from retint.train import recipe as recipes
        from retint.train.loop import Training
    except ModuleNotFoundError as error:
        raise OptionsError(f"training needs {error.name}: pip install 'retint[train]'") from None

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(
            f"{device}: this installation of torch finds no such device; see docs/train.md"
        )
    if device == "cpu":
        _keep_memory()
        torch.set_num_threads(threads or available_threads())
    chosen = recipes.load(recipe, changes) if recipe else None
    name = chosen.name if chosen else resume.parent.name if resume else "run"
    training = Training(
        chosen,
        data or _shared("photos", "--data"),
        output or (resume.parent if resume else Path("runs") / name),
        backbones=backbones or _shared("backbones"),
        resume=resume,
        device=device,
        tell=lambda line: click.echo(line, err=True),
    )
    ended = training.run(minutes=minutes, steps=steps)
    last = training.folder / "last.pt"
    click.echo(
        f"{last}: {training.step} steps, {training.seconds / 60:.1f} minutes; "
        + ("the schedule has ended" if ended else f"go on with --resume {last}")
    )


def _shared(folder: str, option: str | None = None) -> Path:
    """A folder of the material named by RETINT_SHARED, where an option was not given."""
    root = os.environ.get("RETINT_SHARED")
    if root is None and option is not None:
        raise click.UsageError(f"give {option}, or set RETINT_SHARED")
    return Path(root or "") / folder


def _keep_memory() -> None:
    """Tell glibc to keep freed memory.

    Training frees and takes the same gigabytes at every step; giving them back in between costs
    page faults.
    """
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 2**31 - 1)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(top_pad, 2**28)
