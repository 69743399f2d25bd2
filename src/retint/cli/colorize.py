"""`retint colorize`: the main job."""

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from retint.cli import leaving_at_once
from retint.cli._options import with_options
from retint.colorizer import Colorizer, Options
from retint.errors import InputError, OptionsError
from retint.formats.codecs import format_by_name, printable
from retint.journal import Receipt
from retint.walk import Job, is_file_name, walk

PIPE = "-"
MEMORY = 1_000_000_000  # bytes that a process with a model and a large photograph stays below
PATH = click.Path(path_type=Path)


@click.command(name="colorize")
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@click.option(
    "-o", "--output", type=PATH, metavar="OUT",
    help="Folder for the results, or a file's name for a single photograph; - is standard output.",
)  # fmt: skip
@click.option(
    "--colours-from", type=PATH, metavar="FILE|DIR",
    help="Take the colours from somebody else's colouring of the same photograph; from a folder, "
    "the one of the same name.",
)  # fmt: skip
@click.option("--suffix", metavar="TEXT", help="Added to the names [.colour; nothing with -o].")
@click.option("--overwrite", is_flag=True, help="Make results anew and replace what is there.")
@click.option("--retry-failed", is_flag=True, help="Do only the files that failed before.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N",
    help="Processes at work [as many as the machine has threads and memory for].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a receipt per file as a line of JSON.")
@with_options
def command(
    paths: tuple[Path, ...],
    output: Path | None,
    colours_from: Path | None,
    suffix: str | None,
    overwrite: bool,
    retry_failed: bool,
    dry_run: bool,
    jobs: int | None,
    as_json: bool,
    **about: Any,
) -> None:
    """Colour photographs: files, and folders with all that is in them.

    Without -o each result lies beside its source, as NAME.colour.tif. With it, the tree is
    mirrored in OUT. A PATH of - reads standard input and writes standard output. Sources are never
    changed. A second run does only what is not done yet: OUT/retint-journal.jsonl knows.

    Exit code: 0 all good, 1 some failed, 2 misuse, 130 stopped by Ctrl-C.
    """
    options = Options(**about)
    if colours_from is not None and not colours_from.exists():
        raise OptionsError(f"{printable(colours_from)}: no such file or folder")
    if PIPE in map(str, paths) or str(output) == PIPE:
        source, *others = paths
        if others or as_json or dry_run or retry_failed:
            raise click.UsageError(
                "- is for one photograph, without --json, --dry-run, --retry-failed"
            )
        _pipe(source, output, colours_from, options, overwrite=overwrite)
        return
    if output is not None and is_file_name(paths, output):
        options = _with_ending(options, output)
    found = walk(paths, output, suffix=suffix, format=options.format, colours_from=colours_from)
    if not found:
        click.echo(f"retint: no photographs in {', '.join(map(printable, paths))}", err=True)
    _run(found, options, jobs, as_json, overwrite, retry_failed, dry_run)


def _run(
    found: Sequence[Job],
    options: Options,
    jobs: int | None,
    as_json: bool,
    overwrite: bool,
    retry_failed: bool,
    dry_run: bool,
) -> None:
    """Run the jobs, tell what happens, and exit."""
    with leaving_at_once():
        from retint.run import run, shortage

    warning = None if dry_run else shortage(found)
    if warning:
        click.echo(f"retint: {warning}", err=True)
    processes = jobs or _processes(len(found))
    counts: Counter[str] = Counter()
    with _stop_signals() as stopped, _telling(len(found), as_json) as tell:
        receipts = run(
            found, options, processes=processes,
            overwrite=overwrite, retry_failed=retry_failed, dry_run=dry_run,
        )  # fmt: skip
        try:
            for receipt in receipts:
                counts[receipt.status] += 1
                tell(receipt)
                if stopped:  # where a library swallowed the exception
                    raise KeyboardInterrupt
        finally:
            receipts.close()
    if len(found) > 1 or not counts:
        total = ", ".join(f"{number} {status}" for status, number in counts.items()) or "nothing"
        click.echo(f"retint: {total}", err=True)
    click.get_current_context().exit(1 if counts["failed"] else 0)


def _with_ending(options: Options, output: Path) -> Options:
    """The options with the format that a file's name promises."""
    promised = format_by_name(output.suffix)
    assert promised is not None
    if options.format not in (None, promised.name):
        raise OptionsError(f"{printable(output)} has another ending than --format {options.format}")
    return replace(options, format=promised.name)


def _pipe(
    source: Path,
    output: Path | None,
    colours_from: Path | None,
    options: Options,
    *,
    overwrite: bool,
) -> None:
    """One photograph from standard input, to standard output, or both; no journal."""
    with leaving_at_once():
        from retint import predict
        from retint.files import colorize_file, remove_partial

    to_stdout = output is None or str(output) == PIPE
    stdout = sys.stdout.buffer
    if to_stdout and stdout.isatty():
        raise click.UsageError("a terminal shows no pictures: redirect standard output, or use -o")
    name, path = printable(source), source
    with TemporaryDirectory(prefix="retint-") as scratch:
        if str(source) == PIPE:
            name, path = "standard input", Path(scratch, "photograph")
            with path.open("wb") as spool:
                shutil.copyfileobj(sys.stdin.buffer, spool)
        place = Path(scratch, "result") if output is None or to_stdout else output
        if is_file_name([path], place):
            options = _with_ending(options, place)
        (job,) = walk([path], place, format=options.format, colours_from=colours_from)
        colorizer = None
        if colours_from is None:
            colorizer = Colorizer(predict.load(options.model, device=options.device), options)
        receipt = colorize_file(job, colorizer, options, overwrite=overwrite)
        remove_partial(job.folder)
        if receipt.status not in ("done", "copied"):
            raise InputError(f"{name}: {receipt.reason}")
        if to_stdout:
            with Path(receipt.target).open("rb") as result:
                shutil.copyfileobj(result, stdout)
                stdout.flush()


def _processes(files: int) -> int:
    """As many processes as there are threads and memory; few files do not pay for their start."""
    from retint.predict import available_threads

    return max(1, min(available_threads(), _memory() // MEMORY, files // 2))


def _memory() -> int:
    """Bytes of memory that the machine has, or the container if it has less."""
    sizes: list[int] = []
    if hasattr(os, "sysconf"):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):  # cgroup v2, v1
        with suppress(OSError, ValueError):  # not there, or "max"
            sizes.append(int(Path("/sys/fs/cgroup", limit).read_text("ascii")))
    return min(sizes, default=2 * MEMORY)


Tell = Callable[[Receipt], None]


@contextmanager
def _telling(total: int, as_json: bool) -> Generator[Tell]:
    """What tells of a receipt: a bar on a terminal and lines for what is not plain sailing; else
    a line each; or JSON on standard output."""
    if as_json:
        yield lambda receipt: click.echo(receipt.to_json())
    elif total > 1 and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True, highlight=False)
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("Colouring", total=total)

            def tell(receipt: Receipt) -> None:
                bar.advance(task)
                if receipt.status in ("failed", "skipped", "planned"):
                    console.print(_line(receipt), markup=False, soft_wrap=True)

            yield tell
    else:
        yield lambda receipt: click.echo(_line(receipt), err=receipt.status == "failed")


def _line(receipt: Receipt) -> str:
    """A receipt in a line of words."""
    line = f"{receipt.status} {_short(receipt.source)}"
    if receipt.status in ("done", "copied", "planned"):
        line += f" -> {_short(receipt.target)}"
    if receipt.status == "done":
        line += f" ({receipt.seconds:.1f} s, |dL*| at most {receipt.delta_L_max:.2f})"
    if receipt.reason and receipt.status != "unchanged":
        line += f": {receipt.reason}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _short(path: str) -> str:
    """A path as one would write it here, whatever bytes it is made of."""
    full = Path(path)
    here = Path.cwd()
    return printable(full.relative_to(here) if full.is_relative_to(here) else full)


@contextmanager
def _stop_signals() -> Generator[list[int]]:
    """SIGTERM stops as Ctrl-C does; what arrived stands in the list.

    Where Python can raise nothing (a finalizer, a callback from C) it only says so; the list tells.
    """
    arrived: list[int] = []
    hook = sys.unraisablehook

    def stop(number: int, _: object) -> None:
        arrived.append(number)
        if len(arrived) == 1:  # more of them must not disturb the tidying
            raise KeyboardInterrupt

    def ignore_stop(unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            hook(unraisable)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    sys.unraisablehook = ignore_stop
    try:
        yield arrived
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
