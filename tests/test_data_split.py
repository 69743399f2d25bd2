"""Perceptual hashes and the sides of a split: near-duplicates together, nobody moves."""

import io
import time
import zipfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import scene
from retint.cli import main
from retint.data import hashes
from retint.data.corpus import Corpus
from retint.data.manifest import Entry, Manifest
from retint.data.split import split


def random_hashes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def entries(values: np.ndarray, shard: str = "a.zip") -> list[Entry]:
    return [
        Entry(shard, f"{k}.webp", 64, 64, more={"dhash": f"{int(value):016x}"})
        for k, value in enumerate(values)
    ]


def luma(seed: int) -> np.ndarray:
    return (scene(72, 90, seed) @ (0.2126, 0.7152, 0.0722)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_near_pair_is_found_and_no_other(seed: int):
    """Against all pairs, on hashes of which many are a few bits from one another."""
    random = np.random.default_rng(seed)
    base = random_hashes(8, seed)
    flips = random.integers(0, 64, (60, 6)).astype(np.uint64)
    count = random.integers(0, 7, 60)
    values = base[random.integers(0, 8, 60)]
    for k in range(6):
        values = np.where(k < count, values ^ (np.uint64(1) << flips[:, k]), values)
    found = {(int(i), int(j)) for i, j in hashes.near_pairs(values)}
    near = {
        (i, j)
        for i, j in combinations(range(60), 2)
        if int(values[i] ^ values[j]).bit_count() <= hashes.NEAR
    }
    assert found == near
    joined = hashes.clusters(60, hashes.near_pairs(values))
    assert all(joined[i] == joined[j] for i, j in near)


def test_a_crowd_of_equal_hashes_is_joined_without_all_its_pairs():
    """Blank pictures: a hundred thousand of them have five billion pairs."""
    values = np.concatenate([np.zeros(20_000, np.uint64), random_hashes(10)])
    pairs = hashes.near_pairs(values)
    assert len(pairs) <= 20_000 * hashes.CROWD
    assert not hashes.clusters(len(values), pairs)[:20_000].any()


def test_half_a_million_hashes_take_seconds():
    values = random_hashes(500_000)
    planted = np.arange(0, 500_000, 5000)
    values[planted + 1] = values[planted] ^ np.uint64(0x8000_0100_0000_1001)
    began = time.perf_counter()
    pairs = hashes.near_pairs(values)
    assert time.perf_counter() - began < 60
    assert np.array_equal(pairs, np.stack([planted, planted + 1], axis=1))


def test_the_hash_of_a_mirror_image_is_the_mirrored_hash():
    for seed in range(5):
        picture = luma(seed) + np.linspace(0, 0.2, 90, dtype=np.float32)
        value = np.array([hashes.dhash(picture)], np.uint64)
        turned = np.array([hashes.dhash(np.ascontiguousarray(picture[:, ::-1]))], np.uint64)
        assert hashes.distance(hashes.mirrored(value), turned)[0] <= 1
        assert np.array_equal(hashes.mirrored(hashes.mirrored(value)), value)


def test_a_smaller_copy_is_near_and_another_picture_is_not():
    big = luma(1)
    small = np.asarray(Image.fromarray(big).resize((48, 40), Image.Resampling.BICUBIC))
    upside_down = np.ascontiguousarray(big[::-1])
    first, second, third = (hashes.dhash(picture) for picture in (big, small, upside_down))
    assert (first ^ second).bit_count() <= hashes.NEAR
    assert (first ^ third).bit_count() > hashes.NEAR


def test_shares_are_kept_and_nobody_moves_when_pictures_are_added():
    every = entries(random_hashes(4000))
    before = split(every[:2500], 0.1, 0.2)
    sides = [entry.split for entry in before]
    assert sides.count("validation") == pytest.approx(250, abs=50)
    assert sides.count("test") == pytest.approx(500, abs=80)
    after = split([*before, *every[2500:]], 0.1, 0.2)
    assert [entry.split for entry in after[:2500]] == sides
    assert after == split(every, 0.1, 0.2)  # all at once gives the same


def test_near_duplicates_and_mirror_images_are_on_one_side():
    values = random_hashes(600)
    copies = values ^ np.uint64(0x0800_0000_0040_0001)
    both = [*entries(values), *entries(copies, "b.zip"), *entries(hashes.mirrored(values), "c.zip")]
    sides = [entry.split for entry in split(both, 0.3)]
    assert sides[:600] == sides[600:1200] == sides[1200:]
    assert {*sides} == {"train", "validation"}


def test_a_new_duplicate_goes_to_the_side_of_the_old_picture():
    values = random_hashes(300)
    before = [entry.having({"split": "test"}) for entry in entries(values)]
    after = split([*before, *entries(values ^ np.uint64(1), "b.zip")], 0.3)
    assert {entry.split for entry in after} == {"test"}


def test_the_corpus_honours_the_split_and_the_decisions(tmp_path: Path):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "WEBP")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for k in range(60):
            archive.writestr(f"{k}.webp", buffer.getvalue())
    listed = [Entry("a.zip", f"{k}.webp", 64, 64) for k in range(60)]
    listed[7] = listed[7].having({"decision": "drop"})
    Manifest(listed).write(tmp_path / "manifest.csv")
    train, validation = Corpus(tmp_path).split(0.25)
    assert len(train) + len(validation) == 59

    result = CliRunner().invoke(
        main, ["data", "split", str(tmp_path), "--validation", "0.25", "--test", "0.25"]
    )
    assert result.exit_code == 0, result.output
    assert "have no perceptual hash" in result.output
    again_train, again_validation = Corpus(tmp_path).split(0.9)
    assert [e.file for e in again_validation] == [e.file for e in validation]
    assert {e.file for e in again_train} < {e.file for e in train}


def test_shares_that_leave_nothing_are_refused(tmp_path: Path):
    words = ["data", "split", str(tmp_path), "--validation", "0.5", "--test", "0.5"]
    assert CliRunner().invoke(main, words).exit_code == 2
