"""Sets of pictures: folders, frozen manifests, and members of a corpus' shards."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conftest import scene
from painters import draw, write
from retint.bench import frozen
from retint.bench.sets import PictureSet, pictures
from retint.data.corpus import Corpus
from retint.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw(tmp_path / "colours")


@pytest.fixture
def manifest(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "colours.json"
    frozen.write(frozen.freeze(PictureSet.of_folder(folder)), path)
    return path


def test_pictures_are_spread_over_the_set_and_found_below(folder: Path):
    names = [path.name for path in pictures(folder)]
    assert names == ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png"]
    some = PictureSet.of_folder(folder, 3)
    assert some.files == ["0.png", "2.png", "4.png"]
    assert some.others == ["1.png", "3.png", "below/5.png"]
    assert len(PictureSet.of_folder(folder, 100).files) == 6
    assert PictureSet.of_folder(folder).digest != some.digest


def test_a_manifest_has_every_picture_with_hash_and_size(folder: Path, manifest: Path):
    found = json.loads(manifest.read_text("utf-8"))
    assert found["total"] == 6
    assert found["name"] == "colours"
    assert found["pictures"][0] == {
        "file": "0.png",
        "sha256": PictureSet.of_folder(folder).sha256("0.png"),
        "width": 90,
        "height": 60,
    }
    assert len(manifest.read_text("utf-8").splitlines()) < 20  # a line for each picture


def test_a_frozen_set_is_that_of_its_folder(folder: Path, manifest: Path):
    found = frozen.read(manifest)  # the folder of its name beside it
    assert found.frozen
    assert found.root == folder
    assert found.files == PictureSet.of_folder(folder).files
    assert found.digest == PictureSet.of_folder(folder).digest
    assert found.open("below/5.png").size == (48, 48)
    assert frozen.read(manifest, folder, limit=2).files == ["0.png", "3.png"]
    assert frozen.open_set(manifest).frozen
    assert not frozen.open_set(folder).frozen
    inside = folder / "set.json"
    inside.write_bytes(manifest.read_bytes())
    assert frozen.read(inside).root == folder


def test_what_is_not_as_it_was_is_an_error_with_names(folder: Path, manifest: Path):
    write(folder / "0.png", scene(60, 90, seed=9))
    (folder / "1.png").unlink()
    write(folder / "more/6.png", scene(20, 20))
    with pytest.raises(InputError) as raised:
        frozen.read(manifest)
    assert str(raised.value) == (
        f"{manifest}: the pictures in {folder} are not that set: "
        "1 changed: 0.png; 1 missing: 1.png; 1 extra: more/6.png"
    )
    for path in folder.rglob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"6 missing: 0\.png, .*4\.png and 1 more"):
        frozen.read(manifest)


def test_unreadable_pictures_are_named_when_a_set_is_frozen(folder: Path, tmp_path: Path):
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    found = frozen.freeze(PictureSet.of_folder(folder))
    assert list(found["left_out"]) == ["torn.jpg"]
    assert found["total"] == 6
    frozen.write(found, tmp_path / "set.json")
    assert len(frozen.read(tmp_path / "set.json", folder).files) == 6  # it is not extra
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        PictureSet.of_folder(tmp_path / "empty")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no JSON"),
        ("[]", "is no manifest"),
        ('{"retint_set": 2}', "is no manifest"),
        ('{"retint_set": 1, "pictures": []}', "names no pictures"),
        ('{"retint_set": 1, "pictures": [{"file": "a.png"}]}', "names no file with its sha256"),
    ],
)
def test_what_is_no_manifest_is_one_line(text: str, says: str, tmp_path: Path):
    path = tmp_path / "set.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=says):
        frozen.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        frozen.read(tmp_path / "gone.json")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two shards: 60 pictures of two data sets, every fifth grey, every third small."""
    root = tmp_path / "photos"
    lines = ["shard,file,dataset,labels,width,height"]
    for shard in ("photos-0.zip", "photos-1.zip"):
        with zipfile_of(root / shard) as archive:
            for i in range(30):
                side = 20 if i % 3 == 0 else 40
                rgb = scene(side, side, seed=i)
                if i % 5 == 0:
                    rgb = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
                write(tmp_path / "one.png", rgb)
                archive.write(tmp_path / "one.png", f"{i:05}.png")
                lines.append(f"{shard},{i:05}.png,{'cats' if i % 2 else 'dogs'},,{side},{side}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return root


def zipfile_of(path: Path) -> zipfile.ZipFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    return zipfile.ZipFile(path, "w")


def silent(what: str, done: int, of: int) -> None:
    pass


def test_validation_pictures_are_those_that_trainings_leave_out(corpus: Path, tmp_path: Path):
    found = frozen.freeze_corpus(corpus, silent, share=0.5, count=8, shorter=30)
    frozen.write(found, tmp_path / "validation.json")
    apart = {entry.name: entry for entry in Corpus(corpus).split(0.5)[1]}
    chosen = frozen.read(tmp_path / "validation.json", corpus)
    assert len(chosen.files) == 8
    assert set(chosen.files) <= apart.keys()
    assert {apart[file].shorter for file in chosen.files} == {40}
    datasets = [apart[file].dataset for file in chosen.files]
    assert datasets.count("cats") == datasets.count("dogs") == 4
    for file in chosen.files:
        assert chosen.open(file).photo.colour() == "colour"
        assert chosen.open(file).size == (40, 40)
    again = frozen.freeze_corpus(corpus, silent, share=0.5, count=8, shorter=30)
    assert again == found
    with pytest.raises(InputError, match="a larger share has more"):
        frozen.freeze_corpus(corpus, silent, share=0.5, count=60, shorter=30)


def test_pictures_of_a_data_set_are_those_that_a_training_can_leave_out(corpus: Path):
    found = frozen.freeze_corpus(corpus, silent, share=None, sources=["Dog"], count=6, shorter=30)
    datasets = {entry.name: entry.dataset for entry in Corpus(corpus).entries}
    assert {datasets[picture["file"]] for picture in found["pictures"]} == {"dogs"}
    assert found["total"] == 6
    assert found["about"] == "Of Dog; shorter side >= 30 px."
    with pytest.raises(InputError, match="no source 'horses'"):
        frozen.freeze_corpus(corpus, silent, share=None, sources=["horses"], count=6, shorter=30)


def test_members_of_shards_are_named_where_they_cannot_be_read(corpus: Path):
    found = PictureSet("some", corpus, ["photos-0.zip/00001.png", "photos-0.zip/gone.png"])
    assert found.open("photos-0.zip/00001.png").lab.shape == (40, 40, 3)
    with pytest.raises(InputError, match=r"photos-0\.zip/gone\.png: cannot be read"):
        found.open("photos-0.zip/gone.png")
    (corpus / "photos-0.zip").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be read"):
        PictureSet("some", corpus, found.files).sha256("photos-0.zip/00002.png")


def test_the_manifests_of_the_repository_are_sound(shared: Path):
    sets = Path(__file__).parent.parent / "benchmarks/sets"
    assert len(frozen.read(sets / "eval.json", shared / "eval").files) == 500
    assert len(frozen.read(sets / "validation.json", shared / "photos").files) == 300
