"""Bombs: what decodes them is held to its memory, time and disk, and only they come to grief."""

import multiprocessing
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

from bombs import (
    black_png,
    laughing_xmp,
    nested_xmp,
    paged_tiff,
    tagged_tiff,
    wide_xmp,
    xmp_png,
)
from mutations import originals
from retint.pool import Worker
from retint.serve import Settings
from retint.serve.bounds import Bounds
from served import Served, served

MB = 1 << 20
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to all bounds")


# A process of its own


def confined(bounds: Bounds | None) -> Callable[[tuple[str, Any]], Any]:
    """A process that does what it is told, within bounds."""
    if bounds is not None:
        bounds.confine()
    return partial(_obey, bounds)


def _obey(bounds: Bounds | None, told: tuple[str, Any]) -> Any:
    kind, value = told
    if bounds is not None:
        bounds.renew(MB)
    return {"open": _open, "take": _take, "spin": _spin, "write": _write, "load": _load}[kind](
        value
    )


def _open(data: bytes) -> str:
    """Decode a picture, and tell what it was, or why not."""
    from retint import RetintError
    from retint.photo import Photo

    try:
        return str(Photo.open(data).thumbnail(64).shape)
    except (RetintError, MemoryError) as error:
        return repr(error)


def _take(size: int) -> str:
    try:
        return f"{len(bytearray(size))}"
    except MemoryError:
        return "refused"


def _spin(seconds: float) -> str:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return "done"


def _write(path: str) -> str:
    try:
        with Path(path).open("wb") as file:
            file.write(bytes(2 * MB))
    except OSError as error:
        return str(error.strerror)
    return "written"


def _load(name: str) -> str:
    import pyvips

    try:
        pyvips.Operation.call(name, b"<svg/>")
    except pyvips.Error as error:
        return str(error)
    return "loaded"


def answers(bounds: Bounds | None, *told: tuple[str, Any]) -> list[Any]:
    """What a process answers, the last thing being how it ended where it did."""
    first, *others = told
    worker: Worker[tuple[str, Any], Any] = Worker(partial(confined, bounds), first)
    found = list[Any]()
    try:
        found.append(worker.receive())
        for other in others:
            worker.send(other)
            found.append(worker.receive())
    except EOFError:
        return [*found, worker.end()]
    worker.kill()
    return found


@on_linux
def test_memory_is_refused_and_time_ends(tmp_path: Path):
    bounds = Bounds(memory=400 * MB, seconds=1)
    path = str(tmp_path / "large")
    told = answers(
        bounds, ("take", 50 * MB), ("take", 500 * MB), ("write", path),
        ("spin", 0.5), ("spin", 0.5), ("spin", 60),
    )  # fmt: skip
    assert told[:2] == [f"{50 * MB}", "refused"]
    assert told[2] == os.strerror(27)
    assert Path(path).stat().st_size <= MB
    assert told[3:5] == ["done", "done"]  # each has time of its own
    assert "crashed (exit code -24)" in told[5]  # SIGXCPU


def test_only_our_readers_are_there():
    bounds = Bounds(4096 * MB, 60)
    told = answers(bounds, ("load", "svgload_buffer"), ("load", "pngload_buffer"))
    assert all("blocked" in words or "no such operation" in words for words in told), told
    whole = originals()
    opened = answers(bounds, *(("open", data) for data in whole.values()))
    assert dict(zip(whole, opened, strict=True)) == {name: _open(whole[name]) for name in whole}


@on_linux
def test_a_bomb_is_a_bomb_and_bounds_hold_it():
    """192 MB of pixels in 0.2 MB: taken without bounds, refused within them."""
    bomb = black_png(16_000, 12_000, interlaced=True)
    assert len(bomb) < MB / 4
    (free,) = answers(None, ("open", bomb))
    assert free == "(48, 64)"
    (bound,) = answers(Bounds(250 * MB, 60), ("open", bomb))
    assert "cannot be decoded" in bound or "killed" in bound or "crashed" in bound


# The service


@pytest.fixture(scope="module")
def here(fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = Settings(
        data=tmp_path_factory.mktemp("data"), models={"fake": str(fake_onnx)}, device="cpu",
        memory=500 * MB, limit=20, lease=1,
    )  # fmt: skip
    with served(settings) as here:
        yield here


BOMBS: dict[str, Callable[[], bytes]] = {
    "pixels.png": partial(black_png, 60_000, 60_000),
    "interlaced.png": partial(black_png, 30_000, 16_000, interlaced=True),
    "tags.tif": partial(tagged_tiff, 4000, MB),
    "nested.png": lambda: xmp_png(nested_xmp(5000)),
    "wide.png": lambda: xmp_png(wide_xmp(2_000_000), packed=True),
    "laughs.png": lambda: xmp_png(laughing_xmp()),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_itself_alone(here: Served, name: str):
    bomb = BOMBS[name]()
    assert len(bomb) < 5 * MB
    begin = time.monotonic()
    answer = here.ask("/v1/colorize", {}, [("image", name, bomb)])
    assert time.monotonic() - begin < 30
    assert answer.status in (200, 422), answer.body
    if answer.status == 422:
        assert re.search(
            "pixels, more than|not enough memory|cannot be decoded|killed|crashed|no room",
            answer.json()["detail"],
        ), answer.json()["detail"]
    for process in multiprocessing.active_children():
        assert peak(process.pid or 0) < 600 * MB
    after = here.ask("/v1/colorize", {}, [("image", "a.png", originals()["grey.png"])])
    assert after.status == 200


@pytest.mark.parametrize("name", ["interlaced.png", "tags.tif"])
def test_a_bomb_to_look_at_costs_itself_alone(here: Served, name: str):
    answer = here.ask("/v1/photographs", {}, [("image", name, BOMBS[name]())])
    assert answer.status == 422, answer.body
    for process in multiprocessing.active_children():
        assert peak(process.pid or 0) < 600 * MB
    after = here.ask("/v1/photographs", {}, [("image", "a.png", originals()["grey.png"])])
    assert after.status == 201


def peak(pid: int) -> int:
    """Most memory a process has had."""
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    return 1024 * int(found[1]) if found else 0


def test_pages_without_end_are_stopped_by_time(fake_onnx: Path, tmp_path: Path):
    """Twenty thousand million pixels in five megabytes."""
    bomb = paged_tiff(5000, 2000)
    assert len(bomb) < 5 * MB
    settings = Settings(data=tmp_path, models={"fake": str(fake_onnx)}, limit=2, lease=0.6)
    with served(settings) as here:
        answer = here.ask("/v1/colorize", {}, [("image", "pages.tif", bomb)])
        assert answer.status == 422
        assert answer.json()["detail"] == "pages.tif: took longer than 2 s"
        assert here.service.queue.usage() == 0


def test_who_leaves_takes_the_work_along(fake_onnx: Path, tmp_path: Path):
    """Nobody waits any more: the process is free for the next, long before its time is over."""
    settings = Settings(data=tmp_path, models={"fake": str(fake_onnx)}, patience=1, lease=0.3)
    with served(settings) as here:
        slow = here.ask("/v1/colorize", {}, [("image", "slow.tif", paged_tiff(5000, 2000))])
        assert slow.status == 503
        job = here.ask("/v1/jobs", {}, [("images", "a.png", originals()["grey.png"])])
        assert here.ended(job.headers["Location"], 30)["states"] == {"done": 1}


def test_a_result_beyond_the_quota_is_refused(fake_onnx: Path, tmp_path: Path):
    """A few kilobytes that would become many megabytes."""
    settings = Settings(data=tmp_path, models={"fake": str(fake_onnx)}, quota=MB)
    with served(settings) as here:
        small = black_png(3000, 2000)
        answer = here.ask("/v1/colorize", {"format": "pnm"}, [("image", "small.png", small)])
        assert answer.status == 507, answer.body
        job = here.ask("/v1/jobs", {"format": "pnm"}, [("images", "small.png", small)])
        (item,) = here.ended(job.headers["Location"])["items"]
        assert item["receipt"]["reason"].startswith("no room is left on the disk")
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.p?m")) == 0
