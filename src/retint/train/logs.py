"""What a training leaves to be read: a table, TensorBoard events, and how far it has come."""

import csv
import importlib.util
import io
import json
import math
import os
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from retint.errors import OutputError

Value = float | int | str | None


class Log:
    """The table `log.csv` of a run, one row a validation, and the same as TensorBoard events.

    step: where the training goes on from; rows of the table beyond it, which a lost checkpoint
    left behind, are dropped, as is a last line that was cut off. 0 is a new training. Events need
    tensorboardX; `tell` says so once where it is missing. Raises OutputError where the folder
    cannot be written.
    """

    def __init__(
        self, folder: Path, step: int = 0, tell: Callable[[str], None] = lambda line: None
    ) -> None:
        self.path = folder / "log.csv"
        self._columns, self._rows = _read(self.path, step)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._columns:
                self._replace()
            self._events = _Events(folder, step) if _has_tensorboard() else None
        except OSError as error:
            raise OutputError(f"{folder}: log not written ({error.strerror})") from error
        if self._events is None:
            tell("log.csv only; for TensorBoard events too: pip install tensorboardX")

    def row(self, values: Mapping[str, Value]) -> None:
        """Append a row; `values` has at least the step. New columns go to the table's right.

        Numbers are written with six significant digits, None and columns left out as nothing.
        """
        row = {name: _text(value) for name, value in values.items()}
        new = [name for name in row if name not in self._columns]
        self._columns += new
        self._rows.append(row)
        try:
            if new:
                self._replace()
            else:
                with self.path.open("a", encoding="utf-8", newline="") as file:
                    file.write(self._lines([row]))
            if self._events:
                self._events.scalars(row)
        except OSError as error:
            raise OutputError(f"{self.path}: not written ({error.strerror})") from error

    def sheet(self, step: int, picture: Path) -> None:
        """Show a picture (JPEG or PNG) among the TensorBoard events, as it is."""
        try:
            if self._events:
                self._events.image(step, "sheet", picture.read_bytes())
        except OSError as error:
            raise OutputError(f"{self.path.parent}: {picture.name}: {error.strerror}") from error

    def about(self, values: Mapping[str, object]) -> None:
        """Write down what the training knows of itself, as `about.json`: "parameters", say."""
        part = self.path.with_name("about.json.part")
        try:
            part.write_text(json.dumps(dict(values), indent=1) + "\n", encoding="utf-8")
            part.replace(self.path.with_name("about.json"))
        except OSError as error:
            raise OutputError(f"{part}: not written ({error.strerror})") from error

    def close(self) -> None:
        """Close the event file; every row is on disk already."""
        if self._events:
            self._events.close()

    def _replace(self) -> None:
        """Write the whole table anew, under another name first."""
        part = self.path.with_name(self.path.name + ".part")
        with part.open("w", encoding="utf-8", newline="") as file:
            header = {name: name for name in self._columns}
            file.write(self._lines([header, *self._rows]))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def _lines(self, rows: list[dict[str, str]]) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", lineterminator="\n")
        writer.writerows(rows)
        return text.getvalue()


def _read(path: Path, step: int) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table, up to and with `step`; nothing where there is no table."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [], []
    header, *lines = text.splitlines() or [""]
    if not text.endswith("\n"):
        lines = lines[:-1]
    columns = next(csv.reader([header]), [])
    if "step" not in columns:
        return [], []
    rows = csv.DictReader([header, *lines], restval="")
    return columns, [
        {name: row[name] for name in columns}
        for row in rows
        if row["step"].isdecimal() and int(row["step"]) <= step
    ]


def _text(value: Value) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _has_tensorboard() -> bool:
    return importlib.util.find_spec("tensorboardX") is not None


class _Events:
    """A TensorBoard event file. Written by tensorboardX's plain writer, without its thread, so that
    what was logged is on disk before the training goes on."""

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._event: Any = event_pb2  # made by protobuf: without types
        self._summary: Any = summary_pb2
        self._writer = EventsWriter(str(folder / "events"), f".{step}")
        self.close = weakref.finalize(self, self._writer.close)
        # TensorBoard forgets what older files say of this step and later ones.
        start = self._event.SessionLog(status=self._event.SessionLog.START)
        self._write(step + 1, session_log=start)

    def scalars(self, row: Mapping[str, str]) -> None:
        """All finite numbers of a row."""
        values = [
            self._summary.Summary.Value(tag=_tag(name), simple_value=number)
            for name, text in row.items()
            if name != "step" and (number := _number(text)) is not None
        ]
        self._write(int(row["step"]), summary=self._summary.Summary(value=values))

    def image(self, step: int, tag: str, coded: bytes) -> None:
        """A picture in the coding it has."""
        with Image.open(io.BytesIO(coded)) as picture:
            width, height = picture.size
        image = self._summary.Summary.Image(
            width=width, height=height, colorspace=3, encoded_image_string=coded
        )
        value = self._summary.Summary.Value(tag=tag, image=image)
        self._write(step, summary=self._summary.Summary(value=[value]))

    def _write(self, step: int, **what: Any) -> None:
        self._writer.write_event(self._event.Event(wall_time=time.time(), step=step, **what))
        self._writer.flush()


def _tag(column: str) -> str:
    """TensorBoard draws tags with the same first word together."""
    return f"validation/{column[4:]}" if column.startswith("val_") else f"training/{column}"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


class Progress:
    """How far a training has come: a bar on a terminal, elsewhere a line every `every` seconds.

    tell: what is called with each line. bar: None for a bar where standard error is a terminal
    and rich is installed. While there is a bar, lines of the training go through `line`.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        name: str,
        *,
        bar: bool | None = None,
        every: float = 15.0,
    ) -> None:
        self._tell, self._name, self._every = tell, name, every
        self._bar = None if bar is False else _bar(name, forced=bar is True)
        self._begun = self._told = time.monotonic()
        self._first: float | None = None
        self._stage: str | None = None

    def update(
        self, share: float, loss: float, per_second: float, stage: str | None = None, step: int = 0
    ) -> None:
        """Say where the training is.

        share: done, 0..1, of the stage where there are several; loss: of late; per_second:
        pictures; stage: its name.
        """
        now = time.monotonic()
        if self._first is None or stage != self._stage:  # a resumed one begins in the middle
            self._first, self._begun = share, now
        done = share - self._first
        left = (now - self._begun) * (1 - share) / done if done > 0 else None
        words = [f"loss {loss:.4g}", f"{per_second:.0f} pictures/s", f"{_duration(left)} left"]
        if stage:
            words.insert(0, stage)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=share, step=step, words=words)
        elif now - self._told >= self._every or stage != self._stage or share >= 1:
            self._told = now
            self._tell("  ".join([f"{self._name}  step {step:,}  {share:.1%}", *words]))
        self._stage = stage

    def line(self, text: str) -> None:
        """A line of its own: above the bar, where there is one."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self._tell(text)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()


def _bar(name: str, *, forced: bool) -> Any:
    """A running bar of rich, or None where there is no terminal or no rich."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, Task
        from rich.text import Text
    except ModuleNotFoundError:
        return None
    console = Console(stderr=True)
    if not (console.is_terminal or forced):
        return None

    class Words(ProgressColumn):
        """What there is to say, as much as the terminal is wide."""

        def render(self, task: Task) -> Text:
            words = [f"step {task.fields['step']:,}", *task.fields["words"]]
            return Text("  ".join([f"{task.percentage:5.1f} %", *words]), no_wrap=True)

    bar = Progress(f"[bold]{name}", BarColumn(24), Words(), console=console, refresh_per_second=4)
    bar.add_task(name, total=1.0, step=0, words=[])
    bar.start()
    return bar


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"
