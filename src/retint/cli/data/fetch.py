"""`retint data fetch`: known sets of pictures, downloaded or taken from archives at hand."""

import difflib
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retint.errors import OptionsError

if TYPE_CHECKING:
    from retint.data.fetch.sources import Source
    from retint.data.fetch.web import Web

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(name="fetch")
@click.argument("source", required=False)
@click.option("--list", "listing", is_flag=True, help="Say what sources there are, and stop.")
@click.option("-o", "--output", "folder", type=FOLDER, metavar="DIR",
              help="Folder for it [the source's name, here].")  # fmt: skip
@click.option("--from", "given", type=FILE, multiple=True, metavar="FILE",
              help="An archive of it that lies here already; may be repeated.")  # fmt: skip
@click.option("--part", "parts", multiple=True, metavar="PART",
              help="Only this part (train, val); may be repeated.")  # fmt: skip
@click.option("--class", "classes", multiple=True, metavar="NAME",
              help="Only pictures of this class or breed; may be repeated.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N pictures.")
@click.option("--accept-terms", is_flag=True, help="I have read the source's terms and keep them.")
@click.option("--bounds", metavar="W,S,E,N", help="PastVu: degrees of longitude and latitude.")
@click.option("--years", metavar="A-B", help="PastVu: only pictures dated from A to B.")
@click.option("--region", type=click.IntRange(min=1), metavar="N",
              help="PastVu: only pictures of the region with this number.")  # fmt: skip
@click.option("--drawings", is_flag=True, help="PastVu: drawings and paintings, no photographs.")
@click.option("--pause", type=click.FloatRange(min=1), metavar="SECONDS",
              help="PastVu: between two requests [what its robots.txt asks for].")  # fmt: skip
def command(
    source: str | None,
    listing: bool,
    folder: Path | None,
    given: tuple[Path, ...],
    parts: tuple[str, ...],
    classes: tuple[str, ...],
    limit: int | None,
    accept_terms: bool,
    bounds: str | None,
    years: str | None,
    region: int | None,
    drawings: bool,
    pause: float | None,
) -> None:
    """Bring a known set of pictures into a folder, with what is said of each picture.

    SOURCE is one of those that --list shows. What was cut goes on when the same command is given
    again; archives stay whole and are checked by their hashes; pictures.csv names each picture
    with its labels, licence, author and address. Then: retint data prepare DIR.
    """
    if listing or source is None:
        _list()
        return
    from retint.data.fetch.sources import PASTVU, SOURCES
    from retint.data.fetch.web import Web

    names = [*SOURCES, PASTVU.name]
    if source not in names:
        near = difflib.get_close_matches(source, names, 1, 0.4) or names
        raise OptionsError(f"no source is called {source!r}; near is {near[0]} (--list: all)")
    of_pastvu = {
        "--bounds": bounds, "--years": years, "--region": region, "--drawings": drawings,
        "--pause": pause,
    }  # fmt: skip
    of_archives = {"--from": given, "--part": parts, "--class": classes}
    for option, value in (of_archives if source == PASTVU.name else of_pastvu).items():
        if value:
            raise OptionsError(f"{option} says nothing to {source}")
    folder = folder or Path(source)
    web = Web(pause=pause or 0.0, tell=lambda line: click.echo(line, err=True))
    if source == PASTVU.name:
        _fetch_pastvu(
            folder, web, bounds, years, region or 0, drawings, limit or 0, accepted=accept_terms
        )
        return
    _accept(SOURCES[source].terms, accept_terms)
    _fetch_archives(SOURCES[source], folder, web, given, parts, classes, limit or 0)


def _fetch_archives(
    source: "Source",
    folder: Path,
    web: "Web",
    given: tuple[Path, ...],
    parts: tuple[str, ...],
    classes: tuple[str, ...],
    limit: int,
) -> None:
    from retint.data.fetch.archived import fetch

    with _progress() as progress:
        count = fetch(
            source,
            folder,
            web,
            progress=progress,
            given=given,
            parts=parts,
            classes=classes,
            limit=limit,
        )
    click.echo(f"{count:,} pictures of {source.name} listed in {folder / 'pictures.csv'}")


def _fetch_pastvu(
    folder: Path,
    web: "Web",
    bounds: str | None,
    years: str | None,
    region: int,
    drawings: bool,
    limit: int,
    *,
    accepted: bool,
) -> None:
    from retint.data.fetch.sources import PASTVU

    try:
        from retint.data.fetch import pastvu
    except ImportError as error:
        raise OptionsError(f"{error}: pastvu needs pip install 'retint[data]'") from None
    if bounds is None:
        raise OptionsError("pastvu wants --bounds WEST,SOUTH,EAST,NORTH, as 28.7,46.9,29.0,47.1")
    search = pastvu.Search(_bounds(bounds), _years(years), region, drawings)
    _accept(PASTVU.terms, accepted)

    def progress(have: int, out: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{have:,} pictures, {out:,} left out", nl=False, err=True)

    have, out = pastvu.fetch(search, folder, web, progress, limit)
    click.echo(f"{have:,} pictures in {folder}, {out:,} left out (left-out.csv says why)")


def _bounds(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise OptionsError(f"--bounds {text}: four numbers with commas between them") from None
    return west, south, east, north


def _years(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if not (found := re.fullmatch(r"(-?\d+)(?:-(-?\d+))?", text)):
        raise OptionsError(f"--years {text}: two years as 1900-1930, or one")
    return int(found[1]), int(found[2] or found[1])


def _accept(terms: str, accepted: bool) -> None:
    if terms and not accepted:
        raise OptionsError(f"{terms} If you keep to that: --accept-terms")


@contextmanager
def _progress() -> "Generator[Callable[[str, int, int], None]]":
    """A bar for each download on a terminal; a line for each tenth of it elsewhere."""
    if not sys.stderr.isatty():
        yield _tenths()
        return
    from rich import progress as bars
    from rich.console import Console

    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as shown:
        tasks: dict[str, bars.TaskID] = {}

        def tell(name: str, received: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = shown.add_task(name)
            shown.update(tasks[name], completed=received, total=total or None)

        yield tell


def _tenths() -> Callable[[str, int, int], None]:
    told: dict[str, int] = {}

    def tell(name: str, received: int, total: int) -> None:
        tenths = 10 * received // total if total else 0
        if tenths > told.get(name, -1):
            told[name] = tenths
            click.echo(f"{name}: {10 * tenths} %", err=True)

    return tell


def _list() -> None:
    from retint.data.fetch.sources import PASTVU, SOURCES

    for source in SOURCES.values():
        size = sum(archive.size for archive in source.archives)
        free = all(archive.url for archive in source.archives)
        needs = ["download" if free else "--from FILE"]
        needs += ["--accept-terms"] if source.terms else []
        needs += [f"--part {'|'.join(source.parts)}, if not all"] if source.parts else []
        click.echo(f"{source.name}: {source.title}")
        click.echo(f"    {_size(size)}; {'; '.join(needs)}; {source.page}")
        click.echo(f"    {source.license}")
    click.echo(f"{PASTVU.name}: {PASTVU.title}")
    click.echo(f"    picture by picture; --bounds; --accept-terms; {PASTVU.page}")
    click.echo(f"    {PASTVU.license}")


def _size(size: int) -> str:
    if not size:
        return "size not known"
    return f"about {size / 1e9:.1f} GB" if size >= 1e8 else f"about {size / 1e6:.1f} MB"
