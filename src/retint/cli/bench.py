"""`retint bench`: judge models on a set of colour pictures, or look at them on film."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retint.errors import OutputError

if TYPE_CHECKING:
    from retint.predict import OnnxPredictor


_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(name="bench")
@click.option(
    "--model",
    "names",
    multiple=True,
    default=["default"],
    show_default=True,
    help="A model's name or .onnx file; again for more.",
)
@click.option("--set", "folder", type=_FOLDER, help="Folder of colour pictures to judge by.")
@click.option("--film", type=_FOLDER, help="Folder of photographs without true colours to look at.")
@click.option("--limit", type=click.IntRange(1), help="Take so many pictures, evenly spread.")
@click.option(
    "--longest",
    type=click.IntRange(16, 4096),
    help="Longest side at which colour is guessed, in pixels  [the model's own].",
)
@click.option("--saturation", type=click.FloatRange(0, 4), default=1.0, show_default=True,
              help="Factor on the colours.")  # fmt: skip
@click.option(
    "--mean-ab",
    type=(float, float),
    metavar="A B",
    help="Mean colour of the training corpus, the baseline  [the first card's, else the set's].",
)
@click.option("--json", "json_file", type=_FILE, help="Write everything that was found.")
@click.option("--markdown", type=_FILE, help="Write the table and the verdicts.")
@click.option("--sheet", type=_FILE, help="Write a contact sheet, .jpg or .png.")
@click.option(
    "--sheet-pictures",
    type=click.IntRange(1),
    default=24,
    show_default=True,
    help="Pictures on the sheet, evenly spread.",
)
@click.option("--device", default="auto", show_default=True, help="Where the models run.")
@click.option("--threads", type=click.IntRange(1), help="Threads of the network  [all there are].")
@click.option("--check", is_flag=True, help="Exit with 1 where a model misses the bar.")
def command(
    names: tuple[str, ...],
    folder: Path | None,
    film: Path | None,
    limit: int | None,
    longest: int | None,
    saturation: float,
    mean_ab: tuple[float, float] | None,
    json_file: Path | None,
    markdown: Path | None,
    sheet: Path | None,
    sheet_pictures: int,
    device: str,
    threads: int | None,
    check: bool,
) -> None:
    """Judge models on colour pictures (--set), or look at them on film (--film).

    Each picture of the set is given to the model as lightness alone and compared with its true
    colours, beside grey, a mean colour everywhere, and the model's own colours shuffled between
    the pictures; a verdict says whether the model beats all three and is as vivid as the truth.
    """
    if (folder is None) == (film is None):
        raise click.UsageError("give --set DIR or --film DIR")
    if check and film:
        raise click.UsageError("--check needs the true colours of --set")
    from retint.bench import report
    from retint.bench.circumstances import circumstances
    from retint.bench.evaluate import evaluate, pictures
    from retint.bench.film import look
    from retint.bench.sheet import write_sheets
    from retint.colorizer import Colorizer, Options
    from retint.photo import Photo
    from retint.predict import load

    options = Options(longest=longest, saturation=saturation)
    networks = {
        label: load(name, device=device, threads=threads) for label, name in _labels(names).items()
    }
    models = {name: Colorizer(model, options) for name, model in networks.items()}
    found: dict[str, Any] = circumstances()
    found["models"] = {
        name: {
            "name": model.name,
            "version": model.version,
            "weights_sha256": model.weights_sha256,
            "parameters": model.card.parameters,
            "device": model.device,
            "longest": longest or model.card.working_size,
            "saturation": saturation,
        }
        for name, model in networks.items()
    }
    fine = True
    if folder:
        origin = "the option"
        if mean_ab is None:
            mean_ab, origin = _corpus_mean(networks)
        judged = evaluate(
            models, folder, limit=limit, mean_ab=mean_ab, mean_ab_of=origin, progress=_progress
        )
        found |= report.summary(judged)
        text = report.table(found)
        fine = all(report.passed(verdict) for verdict in found["verdicts"].values())
    else:
        assert film
        found |= look(_progress(pictures(film, limit), "looking"), models)
        text = report.film_table(found)
    click.echo(text)
    if json_file:
        _write(json_file, json.dumps(found, indent=1) + "\n")
    if markdown:
        _write(markdown, text + "\n")
    if sheet:
        chosen = pictures(folder or film or Path(), sheet_pictures)
        pages = write_sheets(map(Photo.open, chosen), models, sheet, truth=folder is not None)
        click.echo(f"Look at {', '.join(map(str, pages))}")
    if check and not fine:
        click.get_current_context().exit(1)


def _labels(names: Sequence[str]) -> dict[str, str]:
    """What to call each model in a report: a file by its stem, where no two have the same."""
    short = [Path(name).stem if name.endswith(".onnx") else name for name in dict.fromkeys(names)]
    return {
        label if short.count(label) == 1 else name: name
        for label, name in zip(short, dict.fromkeys(names), strict=True)
    }


def _corpus_mean(networks: Mapping[str, "OnnxPredictor"]) -> tuple[tuple[float, float] | None, str]:
    """Mean colour of the corpus, from the first card that knows it."""
    for model in networks.values():
        match model.card.figures.get("mean_ab"):
            case [a, b]:
                return (float(a), float(b)), f"{model.name}'s training corpus"
            case _:
                pass
    return None, ""


def _progress(paths: Iterable[Path], label: str) -> Iterable[Path]:
    with click.progressbar(
        paths, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield from bar


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
