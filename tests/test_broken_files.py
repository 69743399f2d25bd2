"""More than two hundred broken files: each done or failed with one line; no crash, no hang."""

import hashlib
import json
import random
import shutil
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvips

from retint.files import PARTIAL

KINDS = (
    "a.jpg",
    "a.png",
    "a.tif",
    "a.webp",
    "a.avif",
    "a.pgm",
    "a.ppm",
    "a.gif",
    "lzw.tif",
    "16.png",
)
TRUNCATIONS = (1, 3, 12, 40, 0.1, 0.5, 0.9, 0.99)
FLIPS = (1, 3, 20, 200)


@pytest.fixture(scope="module")
def whole(photographs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    grey = pyvips.Image.new_from_file(str(photographs["grey16.tif"])).resize(0.5)
    eight = (grey >> 8).cast("uchar").copy(interpretation="b-w")
    lzw = {"compression": "lzw", "predictor": "horizontal"}
    for name in KINDS:
        path = folder / name
        if name.endswith((".pgm", ".ppm")):  # which this libvips may not write
            codes = (eight if name == "a.pgm" else eight.bandjoin([eight, eight])).numpy()
            size = b" %d %d 255\n" % (codes.shape[1], codes.shape[0])
            path.write_bytes((b"P5" if name == "a.pgm" else b"P6") + size + codes.tobytes())
        else:
            image = grey if name in ("16.png", "a.tif") else eight
            image.write_to_file(str(path), **(lzw if name == "lzw.tif" else {}))
    return folder


def broken(whole: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of broken files; always the same ones."""
    rng = random.Random(1912)
    data = {name: (whole / name).read_bytes() for name in KINDS}
    for name, good in data.items():
        for cut in TRUNCATIONS:
            size = cut if isinstance(cut, int) else int(len(good) * cut)
            yield f"cut at {size} {name}", good[:size]
        for number in FLIPS:
            for where in (len(good), min(len(good), 200)):  # anywhere, and in the head
                bad = bytearray(good)
                for _ in range(number):
                    bad[rng.randrange(where)] ^= 1 << rng.randrange(8)
                yield f"flipped {number} of {where} {name}", bytes(bad)
        middle = len(good) // 2
        yield f"zeros {name}", good[:middle] + bytes(len(good) - middle)
        yield f"twice {name}", good + good
        yield f"hole {name}", good[: middle // 2] + good[middle:]
        other = data[rng.choice([k for k in KINDS if k != name])]
        yield f"spliced {name}", good[:middle] + other[len(other) // 2 :]
        yield f"another kind {name}", other
        yield f"empty {name}", b""
        yield f"noise {name}", rng.randbytes(2000)
        yield f"text {name}", b"<html><body>404 Not Found</body></html>"
        yield f"nothing but zeros {name}", bytes(5000)
    yield from bombs()


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that promise very large pictures."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    for side in (60_000, 2**31 - 1):
        head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        pixels = zlib.compress(bytes(10_000_000), 9)
        yield (
            f"bomb {side}.png",
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", head)
            + chunk(b"IDAT", pixels)
            + chunk(b"IEND", b""),
        )
        yield f"bomb {side}.pgm", b"P5 %d %d 255\n" % (side, side) + bytes(100)
        entries = b"".join(
            struct.pack("<HHII", tag, 4, 1, value)
            for tag, value in (
                (256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1),
                (278, side), (279, 100),
            )
        )  # fmt: skip
        yield f"bomb {side}.tif", b"II*\0\x08\0\0\0" + struct.pack("<H", 9) + entries + bytes(4)
    yield "loop.tif", b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)
    yield (
        "huge text.png",
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
        + chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(100_000_000), 9))
        + chunk(b"IDAT", zlib.compress(bytes(72)))
        + chunk(b"IEND", b""),
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_broken_files_cost_a_line_each(whole: Path, tmp_path: Path, fake_onnx: Path, jobs: int):
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(whole / "a.jpg", scans / "good.jpg")
    for number, (name, data) in enumerate(broken(whole)):
        if jobs == 1 or number % 5 == 0:  # several processes see a part of them
            (scans / f"{number:03} {name}").write_bytes(data)
    sources = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in scans.iterdir()}
    if jobs == 1:
        assert len(sources) > 200

    command = [sys.executable, "-m", "retint", "colorize", scans, "-o", tmp_path / "out", "--json"]
    ended = subprocess.run(
        [*command, "--model", fake_onnx, "--jobs", str(jobs)],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    receipts = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {Path(r["source"]).name for r in receipts} == set(sources)
    assert len(receipts) == len(sources)
    for receipt in receipts:
        name, reason = Path(receipt["source"]).name, receipt["reason"]
        if receipt["status"] == "done":
            result = Path(receipt["target"])
            assert hashlib.sha256(result.read_bytes()).hexdigest() == receipt["output_sha256"]
        else:
            assert receipt["status"] in ("failed", "skipped"), name
            assert reason, name
            assert reason.isprintable(), name
            assert len(reason) < 300, name
            assert "retint's own" not in reason, (name, reason)
        if name[4:].startswith(("empty", "bomb", "cut at 1 ", "noise", "text")):
            assert receipt["status"] == "failed", name
    counts = Counter(receipt["status"] for receipt in receipts)
    assert counts["failed"] > len(receipts) / 2
    assert counts["done"] > 0
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out" / PARTIAL).exists()
    after = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in scans.iterdir()}
    assert after == sources
