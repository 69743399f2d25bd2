"""Audits: each kind of what is wrong is found, and what is right is left alone."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from retint.cli import main
from retint.data.audit import Limits, audit
from retint.data.cast import SCALE, draw
from retint.data.corpus import Corpus
from retint.data.manifest import Manifest
from retint.data.measure import CELLS, measure

GREY = (0.2126, 0.7152, 0.0722)


def blobs(seed: int, height: int = 96, width: int = 128) -> Image.Image:
    """Soft colours of no shape with grain: no two seeds alike."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    codes = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    return Image.fromarray(np.clip(codes + rng.normal(0, 4, codes.shape), 0, 255).astype(np.uint8))


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float64) @ GREY / 255


def coded(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values * 255, 0, 255).round().astype(np.uint8))


def chart() -> Image.Image:
    image = Image.new("RGB", (256, 192), (230, 235, 250))
    pen = ImageDraw.Draw(image)
    for k in range(5):
        pen.rectangle((20 + 44 * k, 140 - 24 * k, 52 + 44 * k, 180), fill=(200, 40 * k, 90))
    return image


def cut_out() -> Image.Image:
    image = Image.new("RGB", (128, 96), "white")
    image.paste(blobs(40, 60, 80), (24, 18))
    return image


def file_of(image: Image.Image, format: str = "WEBP", quality: int = 85) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, quality=quality)
    return buffer.getvalue()


def pictures() -> dict[str, bytes]:
    tone = grey(blobs(31))[..., None] ** (0.8, 1.0, 1.25)
    right = {f"right{k}": file_of(blobs(k)) for k in range(6)}
    return {
        **right,
        "grey": file_of(coded(np.repeat(grey(blobs(30))[..., None], 3, axis=-1))),
        "sepia": file_of(coded(tone)),
        "chart": file_of(chart()),
        "white": file_of(cut_out()),
        "tiny": file_of(blobs(32, 40, 50)),
        "dull": file_of(coded(0.5 + 0.15 * (np.asarray(blobs(33)) / 255 - 0.5) + (0, 0, 0.2))),
        "twice": right["right1"],
        "smaller": file_of(blobs(2).resize((100, 75), Image.Resampling.LANCZOS), quality=60),
        "turned": file_of(blobs(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "JPEG"),
        "judged": file_of(blobs(50)),
        "broken": file_of(blobs(34))[:300],
    }


EXPECTED = {
    "grey": {"grey"},
    "sepia": {"toned"},
    "chart": {"flat"},
    "white": {"white"},
    "tiny": {"small"},
    "dull": {"contrast"},
    "twice": {"duplicate"},
    "smaller": {"near"},
    "turned": {"near"},
    "judged": {"evaluation"},
    "broken": {"broken"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus with one picture of each fault, and a folder of pictures to judge by."""
    folder, judged = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("judged")
    rows = ["shard,file,dataset,labels,width,height,plate"]
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name, data in pictures().items():
            archive.writestr(name, data)
            sizes = {"tiny": (50, 40), "smaller": (100, 75), "chart": (256, 192)}
            size = sizes.get(name, (128, 96))
            source = "warm, and more" if name.startswith("right") else "others"
            rows.append(f'a.zip,{name},"{source}",,{size[0]},{size[1]},no. {len(rows)}')
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    blobs(50).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((160, 120)).save(judged / "e.png")
    blobs(51).save(judged / "f.png")
    return folder, judged


@pytest.fixture
def corpus(made: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy to write in."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in made[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["data", "audit", *map(str, words)])


def test_each_fault_is_found_and_nothing_else(made: tuple[Path, Path]):
    found = audit(Corpus(made[0]), [Corpus(made[1])], jobs=2)
    flags: dict[str, set[str]] = {}
    for flag in found.flags:
        flags.setdefault(found.entries[flag.place].file, set()).add(flag.reason)
    assert flags == EXPECTED
    others = {found.entries[flag.place].file: (flag.figure, flag.other) for flag in found.flags}
    assert others["twice"] == ("", "a.zip/right1")
    assert others["smaller"][1] == "a.zip/right2"
    assert others["turned"][1] == "a.zip/right3"
    assert "mirrored" in others["turned"][0]
    assert others["judged"][1].endswith("e.png")


def test_limits_move_what_is_flagged(made: tuple[Path, Path]):
    found = audit(Corpus(made[0]), limits=Limits(side=80, contrast=1))
    assert {found.entries[flag.place].file for flag in found.flagged("small")} == {
        "tiny",
        "smaller",
    }
    assert not found.flagged("contrast")


def test_the_cast_of_a_source_is_measured():
    plain = np.full((80, 80, 3), 128, np.uint8)
    warm = measure(Image.fromarray(plain + np.array([30, 10, 0], np.uint8)))
    assert warm[0].measures.a > 3
    assert warm[0].measures.b > 6
    assert warm[1].sum() == 64 * 64
    picture = np.asarray(draw(warm[1]))
    b_cell, a_cell = (int(v[0]) for v in np.nonzero(warm[1]))
    row = (CELLS - 1 - b_cell) * SCALE - 8 * SCALE + 2  # eight cells on each side are not shown
    r, g, b = picture[row, (a_cell - 8) * SCALE + 2].tolist()
    assert r > g > b


def test_the_report_has_everything_and_stands_alone(corpus: Path, made: tuple[Path, Path]):
    result = run(corpus, "--against", made[1], "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert re.search(r"toned +1 +5\.88 %", result.output)
    assert "warm, and more" in result.output
    told = json.loads((corpus / "audit" / "audit.json").read_text())
    assert told["pictures"] == 17
    assert told["reasons"]["near"] == 2
    assert told["sources"]["warm, and more"]["pictures"] == 6
    assert told["shorter_side"]["below 64"] == 1
    assert told["shorter_side"]["96 to 127"] == 14
    with (corpus / "audit" / "audit.csv").open(newline="") as lines:
        rows = {row["file"]: row["reason"] for row in csv.DictReader(lines)}
    assert rows == {name: next(iter(reasons)) for name, reasons in EXPECTED.items()}
    page = (corpus / "audit" / "audit.html").read_text()
    assert page.count("data:image/webp") >= 14
    assert page.count("data:image/png") == 3
    assert not re.search(r"(src|href)=(?!['\"]data:)", page)
    assert "$" not in page


def test_hashes_and_colours_go_into_the_manifest_and_the_rest_stays(corpus: Path):
    before = Manifest.read(corpus / "manifest.csv")
    run(corpus, "--leave-manifest", "-o", corpus / "elsewhere", "--jobs", 1)
    assert Manifest.read(corpus / "manifest.csv").entries == before.entries
    run(corpus, "--jobs", 1)
    after = Manifest.read(corpus / "manifest.csv")
    assert [e.more["plate"] for e in after.entries] == [e.more["plate"] for e in before.entries]
    assert {e.file for e in after.entries if e.dhash is None} == {"broken"}
    assert not any(e.decision for e in after.entries)


def test_drop_decides_but_never_against_a_person(corpus: Path):
    manifest = Manifest.read(corpus / "manifest.csv")
    mine = {"decision": "keep", "decided_by": "Ada"}
    manifest.entries = [e.having(mine) if e.file == "sepia" else e for e in manifest.entries]
    manifest.write(corpus / "manifest.csv")
    result = run(corpus, "--drop", "grey,toned,broken", "--jobs", 1)
    assert "2 pictures are dropped" in result.output
    entries = {e.file: e for e in Corpus(corpus).entries}
    assert {name for name, e in entries.items() if e.decision == "drop"} == {"grey", "broken"}
    assert entries["grey"].more["decided_by"] == "audit"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", entries["grey"].more["decided_at"])
    assert entries["sepia"].more["decided_by"] == "Ada"
    train, validation = Corpus(corpus).split(0.5)
    assert len(train) + len(validation) == 15


@pytest.mark.parametrize(
    "words",
    [["--drop", "ugly"], ["--limit", "charm=3"], ["--drop", "grey", "--leave-manifest"]],
)
def test_options_that_cannot_be_are_refused(corpus: Path, words: list[str]):
    assert run(corpus, *words).exit_code == 2


def test_the_shared_corpus_is_clean(shared: Path):
    """Its filters were much the same; a part of it is enough here."""
    whole = Corpus(shared / "photos")
    part = Corpus(whole.folder, whole.entries[::100])
    found = audit(part, [Corpus(shared / "eval")], jobs=2)
    assert not found.flagged("evaluation")
    assert not found.flagged("broken")
    assert len(found.flags) < len(part.entries) / 30
