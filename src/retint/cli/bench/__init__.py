"""`retint bench`: judge models and folders of colourings, or look at them on film."""

import json
from pathlib import Path
from typing import Any

import click

from retint.cli import Commands
from retint.errors import OutputError

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _named(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, Path], ...]:
    """NAME=DIR as pairs."""
    pairs = [value.partition("=") for value in values]
    for pair in pairs:
        if not all(pair):
            raise click.BadParameter(f"{''.join(pair)!r} is not NAME=DIR")
    return tuple((name, Path(folder)) for name, _, folder in pairs)


@click.group(name="bench", cls=Commands, package=__name__, invoke_without_command=True)
@click.option(
    "--model",
    "names",
    multiple=True,
    default=["default"],
    show_default=True,
    help="A model's name or .onnx file; again for more.",
)
@click.option(
    "--folder",
    "folders",
    multiple=True,
    callback=_named,
    metavar="NAME=DIR",
    help="Colourings of the set's pictures by any other system; again for more.",
)
@click.option(
    "--set",
    "chosen",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="Colour pictures to judge by: a folder, or a manifest of `retint bench freeze`.",
)
@click.option(
    "--pictures",
    "root",
    type=_FOLDER,
    help="Where a manifest's pictures are  [the folder of its name beside it, or its own].",
)
@click.option(
    "--film",
    type=_FOLDER,
    help="Folder of photographs without true colours to look at; alone, or beside --set.",
)
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
@click.option("--markdown", type=_FILE, help="Write the tables and the verdicts.")
@click.option("--html", type=_FILE, help="Write one page with charts and pictures to compare.")
@click.option("--sheet", type=_FILE, help="Write a contact sheet, .jpg or .png.")
@click.option(
    "--sheet-pictures",
    type=click.IntRange(1),
    default=24,
    show_default=True,
    help="Pictures on the sheet, evenly spread.",
)
@click.option("--resume", type=_FOLDER, help="Folder that keeps what was measured: a stopped run "
              "goes on, a further model costs only itself.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--classifier", type=_FILE, help="An .onnx that names what it sees: legibility.")
@click.option("--fid", type=_FILE, help="The Inception network of FID, an .onnx.")
@click.option(
    "--features", type=_FILE, help="Any .onnx from picture to features: Frechet distance."
)
@click.option("--lpips", type=_FILE, help="An .onnx of LPIPS, from two pictures to a distance.")
@click.option(
    "--hints",
    type=click.IntRange(1),
    metavar="N",
    help="Colour again with true colours in 1 and N places, and with a false one.",
)
@click.option(
    "--alternatives",
    type=click.IntRange(2, 9),
    metavar="N",
    help="Colour N ways: how far apart, whether where the model is unsure, the best of them.",
)
@click.option("--cost/--no-cost", default=True, show_default=True,
              help="Measure time and memory of the models, beside libvips.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="Where the models run.")
@click.option("--threads", type=click.IntRange(1), help="Threads of the network  [all there are].")
@click.option("--check", is_flag=True, help="Exit with 1 where a contestant misses the bar.")
@click.pass_context
def command(
    context: click.Context,
    names: tuple[str, ...],
    folders: tuple[tuple[str, Path], ...],
    chosen: Path | None,
    root: Path | None,
    film: Path | None,
    limit: int | None,
    longest: int | None,
    saturation: float,
    mean_ab: tuple[float, float] | None,
    json_file: Path | None,
    markdown: Path | None,
    html: Path | None,
    sheet: Path | None,
    sheet_pictures: int,
    resume: Path | None,
    jobs: int,
    device: str,
    threads: int | None,
    check: bool,
    cost: bool,
    hints: int | None,
    alternatives: int | None,
    **files: Path | None,
) -> None:
    """Judge models and folders of colourings (--set), or look at them on film (--film).

    Each picture of the set is given to a model as lightness alone and compared with its true
    colours, beside grey, a mean colour everywhere, and the contestant's own colours shuffled
    between the pictures. Contestants are ranked, and those that cannot be told apart named; a
    verdict says whether each beats all three and is as vivid as the truth.
    """
    if context.invoked_subcommand:
        return
    if chosen is None and film is None:
        raise click.UsageError("give --set DIR or --film DIR")
    counts = {"hints": hints, "alternatives": alternatives}
    needing = {"check": check, "html": html, "pictures": root, "resume": resume, **counts, **files}
    if chosen is None and any(needing.values()):
        first = next(name for name, given in needing.items() if given)
        raise click.UsageError(f"--{first} needs the true colours of --set")
    from retint.bench import report
    from retint.bench.circumstances import circumstances
    from retint.bench.frozen import open_set
    from retint.bench.sets import PictureSet
    from retint.cli.bench import _contest
    from retint.colorizer import Options

    options = Options(longest=longest, saturation=saturation, device=device)
    contest = _contest.Contest.of(names, folders, options, threads)
    found: dict[str, Any] = circumstances() | {"models": contest.about()}
    if chosen:
        photographs = open_set(chosen, root, limit)
        judged = contest.judge(photographs, files, counts, mean_ab, resume, jobs)
        found |= report.summary(judged)
        if cost:
            found |= contest.measure_cost(found)
        if film:  # beside the set: its failures and files do not mix with the set's
            found["film_of"] = contest.look(film, None, jobs)
            found["film"] = found["film_of"].pop("film")
        if html:
            from retint.bench.page import write_page

            write_page(found, judged.contestants, photographs.open, html)
    else:
        assert film
        found |= contest.look(film, limit, jobs)
        photographs = PictureSet.of_folder(film)
    text = _contest.told(found)
    click.echo(text)
    if json_file:
        _write(json_file, json.dumps(found, indent=1, allow_nan=False) + "\n")
    if markdown:
        _write(markdown, text + "\n")
    if sheet:
        pages = contest.write_sheets(sheet, photographs, sheet_pictures, truth=bool(chosen))
        click.echo(f"Look at {', '.join(map(str, pages))}")
    if found.get("failed") or (check and not _contest.passed(found)):
        context.exit(1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
