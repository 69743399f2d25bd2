"""`retint study create`: photographs and ways of colouring them become a study."""

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retint.errors import InputError, OptionsError

if TYPE_CHECKING:
    from retint.colorizer import Colorizer
    from retint.study.design import Settings
    from retint.study.make import Colours

_FOLDER = click.Path(file_okay=False, path_type=Path)
KINDS = ("real-or-fake", "prefer", "name")


@click.command(name="create")
@click.argument("study", type=_FOLDER)
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True,
              help="What judges are asked.")  # fmt: skip
@click.option("--set", "chosen", type=click.Path(path_type=Path), required=True, metavar="DIR|FILE",
              help="Photographs: a folder, or a manifest of `retint bench freeze`.")  # fmt: skip
@click.option("--pictures", "root", type=_FOLDER, help="Where a manifest's pictures are.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take so many, evenly spread.")
@click.option(
    "--model", "models", multiple=True, help="A model's name or .onnx file; again for more."
)
@click.option("--folder", "folders", multiple=True, metavar="NAME=DIR",
              help="Somebody's colourings, named like the photographs.")  # fmt: skip
@click.option("--with", "also", multiple=True, type=click.Choice(["original", "grey"]),
              help="The photographs as they are, or without colour, among them.")  # fmt: skip
@click.option("--labels", type=click.Path(dir_okay=False, path_type=Path), metavar="CSV",
              help="What is in each photograph (name): columns file and names, a;b;c.")  # fmt: skip
@click.option("--trials", type=click.IntRange(1), metavar="N", default=40, show_default=True,
              help="Answers of each judge that count.")  # fmt: skip
@click.option("--practice", type=click.IntRange(0), metavar="N",
              help="Trials before that; 10, 2 and 3 by kind.")  # fmt: skip
@click.option("--catch", type=click.IntRange(0), metavar="N",
              help="Obvious trials among them; 6, 4 and 4 by kind.")  # fmt: skip
@click.option("--exposure", type=click.IntRange(0), metavar="MS",
              help="How long a picture is shown; 1000, 0 (no limit) and 250 by kind.")  # fmt: skip
@click.option("--choices", type=click.IntRange(0, 9), default=4, show_default=True,
              help="Names that are offered (name); 0: free text.")  # fmt: skip
@click.option("--ties", is_flag=True, help="Let judges see no difference (prefer).")
@click.option("--judges", type=click.IntRange(1), metavar="N", default=40, show_default=True,
              help="How many judges are enough.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of every random order.")
@click.option("--size", type=click.IntRange(64, 2048), default=512, show_default=True,
              help="Longest side of the pictures shown, in pixels.")  # fmt: skip
@click.option("--contact", default="", help="Who answers questions, for the consent text.")
@click.option("--device", default="auto", show_default=True, help="Where the models run.")
def command(
    study: Path,
    kind: Any,
    chosen: Path,
    root: Path | None,
    limit: int | None,
    models: tuple[str, ...],
    folders: tuple[str, ...],
    also: tuple[str, ...],
    labels: Path | None,
    trials: int,
    practice: int | None,
    catch: int | None,
    exposure: int | None,
    choices: int,
    ties: bool,
    judges: int,
    seed: int,
    size: int,
    contact: str,
    device: str,
) -> None:
    """Make a study in the new folder STUDY.

    Rules, texts and consent lie there as files to be edited before the first judge begins.
    """
    from retint.bench.frozen import open_set
    from retint.colorizer import Colorizer
    from retint.predict import load
    from retint.study.design import DEFAULTS, Settings
    from retint.study.make import make

    if (kind == "name") != (labels is not None):
        raise OptionsError("--kind name and --labels go together")
    usual = DEFAULTS[kind]
    settings = Settings(
        kind,
        seed=seed,
        practice=usual.practice if practice is None else practice,
        trials=trials,
        catch=usual.catch if catch is None else catch,
        exposure_ms=usual.exposure_ms if exposure is None else exposure,
        ties=ties,
        choices=choices if kind == "name" else 0,
        judges=judges,
    )
    colorizers = {
        _label(name): Colorizer(load(name, device=device)) for name in dict.fromkeys(models)
    }
    pictures = open_set(chosen, root, limit)
    made = make(
        study,
        pictures,
        settings,
        _contestants(colorizers, folders, also, pictures.files),
        names=_names(labels) if labels else None,
        size=size,
        contact=contact,
        about={"models": {name: each.model.weights_sha256 for name, each in colorizers.items()}},
        progress=_progress,
    )
    for file, why in made.left_out.items():
        click.echo(f"left out: {file}: {why}", err=True)
    tested = len(made.study.by_role["test"])
    click.echo(f"{study}: {', '.join(made.study.contestants)}; pictures to judge: {tested}")
    click.echo(_expected(settings, tested, len(made.study.contestants)))
    click.echo(f"Edit its texts.toml and consent.txt, then: retint study serve {study}")


def _contestants(
    models: Mapping[str, "Colorizer"],
    folders: tuple[str, ...],
    also: tuple[str, ...],
    files: Sequence[str],
) -> list["Colours"]:
    from retint.bench.contestants import Folder, Grey, Model
    from retint.study.make import Original

    found: list[Colours] = [Model(name, colorizer) for name, colorizer in models.items()]
    for each in folders:
        name, equals, path = each.partition("=")
        if not (name and equals and path):
            raise OptionsError(f"--folder {each}: NAME=DIR is wanted")
        found.append(Folder(name, Path(path), files))
    return [*found, *({"original": Original, "grey": Grey}[name]() for name in dict.fromkeys(also))]


def _label(name: str) -> str:
    return Path(name).stem if name.endswith(".onnx") else name


def _names(path: Path) -> dict[str, list[str]]:
    """What is in each file, from a CSV file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
        return {
            row["file"]: [name.strip() for name in row["names"].split(";") if name.strip()]
            for row in rows
        }
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (KeyError, AttributeError, UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: no CSV with the columns file and names") from None


def _expected(settings: "Settings", pictures: int, contestants: int) -> str:
    """How long it takes, and how sure one will be."""
    from retint.study.power import detectable, half_width

    compared = {
        "real-or-fake": contestants,
        "prefer": contestants * (contestants - 1) // 2,
        "name": contestants + 1,
    }
    each = max(1, min(settings.trials, pictures) // compared[settings.kind])
    if settings.kind == "prefer":
        reach = f"a preference of {100 * (0.5 + detectable(settings.judges, each)):.0f} % is found"
    else:
        half = 100 * half_width(0.3, settings.judges, each)
        reach = f"a rate of 30 % is known to within {half:.0f} points"
    text = f"Minutes for a judge: about {settings.minutes}. With {settings.judges} judges {reach}."
    if settings.catch:
        chance = 100 * settings.chance_of_passing
        text += f" Who guesses blindly passes the catch trials in {chance:.0f} % of cases."
    return text


def _progress(files: Iterable[str]) -> Iterable[str]:
    with click.progressbar(
        files, label="colouring", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield from bar
