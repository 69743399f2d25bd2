"""The corpus: shards, folders, splits that stay."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import scene
from retint.data.corpus import Corpus
from retint.errors import InputError


def encoded(height: int, width: int, seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = (scene(height, width, seed) * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "WEBP")
    return buffer.getvalue()


def sharded(folder: Path, count: int = 24) -> Path:
    """A corpus of two shards with a manifest; every third picture is large."""
    rows = []
    for shard in ("a.zip", "b.zip"):
        with zipfile.ZipFile(folder / shard, "w") as archive:
            for k in range(count // 2):
                height, width = (96, 140) if k % 3 == 0 else (64, 64)
                archive.writestr(f"{k}.webp", encoded(height, width, k))
                rows.append((shard, f"{k}.webp", "drawn", "scene", width, height))
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("shard", "file", "dataset", "labels", "width", "height"), *rows])
    return folder


def test_shards_and_a_folder_hold_the_same_pictures(tmp_path: Path):
    corpus = Corpus(sharded(tmp_path))
    assert len(corpus.entries) == 24
    (tmp_path / "manifest.csv").unlink()
    found = Corpus(tmp_path)
    assert {(e.shard, e.file, e.width, e.height) for e in found.entries} == {
        (e.shard, e.file, e.width, e.height) for e in corpus.entries
    }


def test_a_missing_shard_is_left_out_and_an_empty_folder_refused(tmp_path: Path):
    sharded(tmp_path)
    (tmp_path / "b.zip").unlink()
    assert len(Corpus(tmp_path).entries) == 12
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures found"):
        Corpus(tmp_path / "empty")


def test_a_broken_picture_is_named(tmp_path: Path):
    corpus = Corpus(sharded(tmp_path))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("bad.webp", b"RIFF....WEBP but no more")
    from dataclasses import replace

    with pytest.raises(InputError, match=r"bad\.webp"):
        corpus.picture(replace(corpus.entries[0], shard="c.zip", file="bad.webp"))


def test_the_split_stays_when_pictures_are_added(tmp_path: Path):
    corpus = Corpus(sharded(tmp_path))
    train, apart = corpus.split(0.25)
    assert train
    assert apart
    assert not {*train} & {*apart}
    corpus.entries = corpus.entries[: len(corpus.entries) // 2]
    assert set(corpus.split(0.25)[1]) <= set(apart)


def test_a_broken_file_in_a_folder_is_named_with_the_way_out(tmp_path: Path):
    (tmp_path / "good.webp").write_bytes(encoded(64, 64, 1))
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.jpg: no picture.*retint data prepare"):
        Corpus(tmp_path)


def test_sizes_are_those_of_the_upright_picture(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(tmp_path / "turned.jpg", exif=exif)
    corpus = Corpus(tmp_path)
    (entry,) = corpus.entries
    assert (entry.width, entry.height) == corpus.picture(entry).size == (60, 80)
