"""Selections of a corpus: by class, source and columns; pointing to pictures or copying them."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from conftest import scene
from retint.cli import main
from retint.data.corpus import Corpus, lot
from retint.data.manifest import COLUMNS, Entry, Manifest
from retint.data.select import condition, select
from retint.errors import InputError, OptionsError

CLASSES = ("n02099601:golden retriever", "n02110063:malamute", "stop_sign", "")


def picture(seed: int, height: int = 48, width: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((scene(height, width, seed) * 255).astype(np.uint8)).save(buffer, "WEBP")
    return buffer.getvalue()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Sixteen pictures in two shards, with a column nobody knows."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    rows: list[tuple[object, ...]] = []
    for shard in ("a.zip", "b.zip"):
        with zipfile.ZipFile(folder / shard, "w") as archive:
            for k in range(8):
                archive.writestr(f"{k}.webp", picture(k))
                side = 48 if k < 6 else 96
                source = "Dogs of the World" if k % 2 else "Streets"
                rows.append((shard, f"{k}.webp", source, CLASSES[k % 4], side, side, f"plate {k}"))
    with (folder / "manifest.csv").open("w", newline="") as file:
        head = ("shard", "file", "dataset", "labels", "width", "height", "plate")
        csv.writer(file).writerows([head, *rows])
    return folder


def run(*words: object) -> str:
    result = CliRunner().invoke(main, ["data", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_manifest_comes_back_as_it_was_with_unknown_columns(corpus: Path):
    manifest = Manifest.read(corpus / "manifest.csv")
    manifest.write(corpus / "manifest.csv")
    again = Manifest.read(corpus / "manifest.csv")
    assert again.entries == manifest.entries
    assert again.columns == (*COLUMNS, "plate")
    assert again.entries[3].more == {"plate": "plate 3"}


def test_a_manifest_that_is_none_is_named(tmp_path: Path):
    path = tmp_path / "manifest.csv"
    path.write_text("file,width,height\nx,1,1\n")
    with pytest.raises(InputError, match=r"manifest\.csv: a manifest needs the column shard"):
        Manifest.read(path)
    path.write_text("shard,file,width,height\na.zip,0.webp,64,64\na.zip,1.webp,wide,64\n")
    with pytest.raises(InputError, match="line 3"):
        Manifest.read(path)


def test_a_selection_points_to_the_pictures(corpus: Path, tmp_path: Path):
    out = tmp_path / "deep" / "dogs"
    told = run("select", corpus, "-o", out, "--class", "GOLDEN", "--class", "n02110063")
    assert "8 of 16 pictures" in told
    chosen = Corpus(out)
    assert {entry.labels for entry in chosen.entries} == {*CLASSES[:2]}
    assert {entry.shard for entry in chosen.entries} == {
        "../../corpus/a.zip",
        "../../corpus/b.zip",
    }
    assert chosen.picture(chosen.entries[0]).size == (64, 48)
    assert not list(out.glob("*.zip"))


@pytest.mark.parametrize("how", [[], ["--copy"]])
def test_a_picture_draws_the_same_lot_in_a_selection(corpus: Path, tmp_path: Path, how: list[str]):
    run("select", corpus, "-o", tmp_path / "part", "--source", "streets", *how)
    lots = {lot(entry): entry for entry in Corpus(corpus).entries}
    part = Corpus(tmp_path / "part").entries
    assert len(part) == 8
    for entry in part:
        assert lots[lot(entry)].more["plate"] == entry.more["plate"]


def test_a_copy_stands_alone_with_the_same_bytes(corpus: Path, tmp_path: Path):
    run("select", corpus, "-o", tmp_path / "copy", "--class", "stop sign", "--copy")
    copy, whole = Corpus(tmp_path / "copy"), Corpus(corpus)
    wanted = [entry for entry in whole.entries if entry.labels == "stop_sign"]
    assert [copy.data(e) for e in copy.entries] == [whole.data(e) for e in wanted]
    assert {entry.shard for entry in copy.entries} == {"pictures-0000.zip"}
    assert [entry.more["plate"] for entry in copy.entries] == [e.more["plate"] for e in wanted]


def test_files_of_a_plain_folder_can_be_selected(tmp_path: Path):
    (tmp_path / "plain" / "cats").mkdir(parents=True)
    (tmp_path / "plain" / "cats" / "1.webp").write_bytes(picture(1))
    run("select", tmp_path / "plain", "-o", tmp_path / "part", "--min-side", 40)
    part = Corpus(tmp_path / "part")
    assert part.entries[0].file == "../plain/cats/1.webp"
    assert part.picture(part.entries[0]).size == (64, 48)
    assert lot(part.entries[0]) == lot(Corpus(tmp_path / "plain").entries[0])


def test_what_matches_nothing_is_answered_with_the_nearest(corpus: Path, tmp_path: Path):
    result = CliRunner().invoke(
        main, ["data", "select", str(corpus), "-o", str(tmp_path / "x"), "--class", "malamut dog"]
    )
    assert result.exit_code == 1
    assert "near it: malamute" in result.stderr
    assert not (tmp_path / "x").exists()


def test_a_folder_with_a_manifest_is_not_overwritten(corpus: Path):
    before = (corpus / "manifest.csv").read_bytes()
    result = CliRunner().invoke(main, ["data", "select", str(corpus), "-o", str(corpus)])
    assert result.exit_code == 1
    assert "has a manifest already" in result.stderr
    assert (corpus / "manifest.csv").read_bytes() == before


def test_list_counts_classes_and_sources(corpus: Path):
    told = run("select", corpus, "--list", "--min-side", 96)
    lines = [line.split(maxsplit=1) for line in told.splitlines()]
    assert ["2", "Streets"] in lines
    assert ["2", "stop_sign"] in lines


ENTRY = Entry("a.zip", "1.webp", 96, 64, "Streets", "stop_sign", {"a": "3.5", "license": "CC0"})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("width>=96", True), ("width > 96", False), ("shorter<=64", True), ("shorter<64", False),
        ("a<4", True), ("a=3.50", True), ("b<4", False), ("b=", True), ("license!=", True),
        ("license=cc0", True), ("license~c0", True), ("labels ~ stop sign", True),
        ("license!=CC0", False), ("license>1", False),
    ],
)  # fmt: skip
def test_conditions(text: str, holds: bool):
    assert condition(text)(ENTRY) is holds


@pytest.mark.parametrize("text", ["width", "width>>3", "width<wide", "=3"])
def test_what_is_no_condition_is_refused(text: str):
    with pytest.raises(OptionsError):
        condition(text)


def test_an_unknown_column_is_answered_with_the_nearest():
    with pytest.raises(OptionsError, match="no column widht; width perhaps"):
        select([ENTRY], where=["widht>3"], columns=COLUMNS)


def test_dropped_pictures_are_left_out_everywhere():
    dropped = ENTRY.having({"decision": "drop"})
    assert select([ENTRY, dropped]) == [ENTRY]
