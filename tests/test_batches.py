"""Batches: the same for the same seed, cut where and how the recipe says, drawn as often."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retint.data.corpus import Corpus, Entry
from retint.errors import OptionsError
from retint.train.batches import Batches, Pictures, centre_crops, classes, cut, some, tilted
from retint.train.recipe import Augment, Data
from test_corpus import sharded

STILL = Augment(mirror=0.0, zoom=1.0, stretch=1.0)
MIDDLE = np.full((1, 8), 0.5)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(sharded(tmp_path))


def batches(corpus: Corpus, data: Data, batch: int = 8, **more: Any) -> Batches:
    return Batches(corpus, corpus.entries, data, Augment(), batch=batch, seed=3, **more)


def test_a_batch_can_be_repeated_and_keeps_the_shares(corpus: Corpus):
    data = Data(sizes=(64, 128), size_shares=(0.5, 0.5), large_side=96, large_share=0.5)
    drawn = batches(corpus, data)
    shapes = set()
    for step in range(8):
        pixels = drawn(step).pixels
        shapes.add(tuple(pixels.shape))
        assert pixels.dtype == torch.uint8
        assert torch.equal(pixels, batches(corpus, data)(step).pixels)
    assert shapes == {(8, 3, 64, 64), (2, 3, 128, 128)}
    assert not torch.equal(drawn(0).pixels[:2, :, :64, :64], drawn(1).pixels[:2, :, :64, :64])


def test_small_pictures_are_mixed_in_at_the_first_size_however_large_it_is(corpus: Corpus):
    data = Data(sizes=(128, 64, 160), size_shares=(1, 0, 0), large_side=96, large_share=0.25)
    drawn = batches(corpus, data)
    shown = [sum(drawn.large[drawn._picked(np.random.default_rng(k), k, size, 8)]) for k in range(4)
             for size in data.sizes]  # fmt: skip
    assert shown == [2, 2, 8] * 4


def test_an_epoch_shows_every_picture_once(corpus: Corpus):
    drawn = batches(corpus, Data(sizes=(32,)), batch=5)
    assert len(drawn) == 5
    order = [k for step in range(24) for k in drawn._in_turn(step, 5)]
    epochs = [order[k : k + 24] for k in range(0, 120, 24)]
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_processes_share_a_batch(corpus: Corpus):
    whole = batches(corpus, Data(sizes=(32,)))(4).pixels
    parts = [batches(corpus, Data(sizes=(32,)), rank=r, world=2)(4).pixels for r in (0, 1)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])


def test_a_window_without_change_is_the_picture():
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    crop = cut([picture], MIDDLE, 24, STILL, "cpu")
    assert np.abs(crop[0].permute(1, 2, 0).numpy().astype(int) - picture).max() <= 1


@pytest.mark.parametrize(
    ("augment", "expected"),
    [
        (Augment(mirror=1.0, zoom=1.0, stretch=1.0), lambda p: p[:, ::-1]),
        (Augment(mirror=0.0, zoom=1.0, stretch=1.0, angles=(90.0,)), lambda p: np.rot90(p, 1)),
        (Augment(mirror=0.0, zoom=1.0, stretch=1.0, angles=(180.0,)), lambda p: np.rot90(p, 2)),
    ],
    ids=["mirror", "90 degrees", "180 degrees"],
)
def test_pictures_are_turned_exactly(augment: Augment, expected: Any):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    crop = cut([picture], MIDDLE, 32, augment, "cpu")[0].permute(1, 2, 0).numpy()
    assert np.abs(crop.astype(int) - expected(picture)).max() <= 1


def test_windows_keep_inside_pictures_of_different_sizes():
    """No padding shows, however a picture is turned: all that is white stays white."""
    pictures = [np.full((h, w, 3), 255, np.uint8) for h, w in ((20, 60), (64, 40), (33, 33))]
    augment = Augment(angles=(0.0, 30.0, 45.0), rotate=20.0, shear=0.3)
    for seed in range(5):
        draws = np.random.default_rng(seed).random((3, 8))
        assert (cut(pictures, draws, 32, augment, "cpu") == 255).all()


def test_large_windows_are_averaged_not_skipped():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = cut([stripes], MIDDLE, 64, STILL, "cpu").float()
    assert (crop - 127.5).abs().max() < 16


def test_pictures_are_decoded_once_while_there_is_room(corpus: Corpus):
    kept = Pictures(corpus, corpus.entries, largest=64, gigabytes=1)
    assert kept[0] is kept[0]
    none = Pictures(corpus, corpus.entries, largest=64, gigabytes=0)
    assert none[0] is not none[0]
    assert np.array_equal(none[0], kept[0])
    small = Pictures(corpus, corpus.entries, largest=16, gigabytes=1)
    assert min(small[0].shape[:2]) == 16


def lopsided(corpus: Corpus) -> list[Entry]:
    from dataclasses import replace

    return [
        replace(e, dataset="rare" if k < 4 else "common", labels="cat" if k % 3 else "dog")
        for k, e in enumerate(corpus.entries)
    ]


@pytest.mark.parametrize("balance", ["source", "class"])
def test_balance_makes_rare_groups_as_frequent(corpus: Corpus, balance: Any):
    entries = lopsided(corpus)
    drawn = Batches(corpus, entries, Data(sizes=(32,), balance=balance), STILL, batch=8, seed=1)
    name = {"source": "dataset", "class": "labels"}[balance]
    random = np.random.default_rng(0)
    counts = Counter(getattr(entries[k], name) for k in drawn._picked(random, 0, 32, 4000))
    assert len(counts) == 2
    assert abs(counts.most_common()[0][1] / 4000 - 0.5) < 0.05


def test_balance_of_colour_takes_the_cast_out(tmp_path: Path):
    colours = [(90, 140, 90)] * 24 + [(150, 80, 80)] * 3 + [(90, 100, 150)] * 3  # many greenish
    for k, colour in enumerate(colours):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{k:02}.png")
    corpus, means = Corpus(tmp_path), []
    for balance in ("none", "colour"):
        drawn = batches(corpus, Data(sizes=(32,), sources={"": 1.0}, balance=balance))  # type: ignore
        picked = drawn._picked(np.random.default_rng(0), 0, 32, 4000)
        means.append(np.mean([drawn.pictures.mean_colour(k) for k in picked], 0))
    assert means[0][0] < -15
    assert np.abs(means[1] - Data().mean_ab).max() < 1
    with pytest.raises(OptionsError, match="pictures of the other colours"):
        batches(corpus, Data(balance="colour", mean_ab=(-90.0, 0.0)))


def test_tilting_changes_as_little_as_it_can():
    colours = np.random.default_rng(0).normal((-5, 10), 8, (500, 2))
    even = np.full(500, 1 / 500)
    same = tilted(colours, colours.mean(0), even)
    assert np.allclose(same, even)
    shares = tilted(colours, np.array([0.0, 7.0]), even)
    assert np.abs(shares @ colours - (0, 7)).max() < 0.02
    score = np.log(shares)  # linear in the colour, as the nearest shares are
    fit = np.linalg.lstsq(np.c_[colours, np.ones(500)], score, rcond=None)[0]
    assert np.allclose(np.c_[colours, np.ones(500)] @ fit, score)


def test_some_pictures_are_the_same_for_a_seed(corpus: Corpus):
    chosen = some(corpus.entries, 5, 1)
    assert len(chosen) == 5
    assert chosen == some(corpus.entries, 5, 1) != some(corpus.entries, 5, 2)
    assert [e for e in corpus.entries if e in chosen] == chosen
    assert some(corpus.entries, 99, 1) == some(corpus.entries, None, 1) == list(corpus.entries)


def test_sources_are_weighted(corpus: Corpus):
    data = Data(sizes=(32,), sources={"rare": 0.0})
    drawn = Batches(corpus, lopsided(corpus), data, STILL, batch=8, seed=1)
    assert min(drawn._picked(np.random.default_rng(0), 0, 32, 500)) >= 4
    with pytest.raises(OptionsError, match="weight 0"):
        batches(corpus, Data(sources={"drawn": 0.0}))


def test_subjects_are_numbers_of_classes(corpus: Corpus):
    entries = lopsided(corpus)
    assert classes(entries, 10) == ["cat"]
    drawn = Batches(corpus, entries, Data(sizes=(32,)), STILL, batch=24, seed=1, classes=["cat"])
    assert sorted(Counter(drawn(0).subjects.tolist()).items()) == [(-1, 8), (0, 16)]


def test_the_general_set_has_its_share(corpus: Corpus, tmp_path: Path):
    general = (corpus, corpus.entries)
    data = Data(sizes=(32,), general_share=0.25)
    batch = batches(corpus, data, general=general, classes=["scene"])(0)
    assert batch.subjects.tolist() == [0] * 6 + [-1] * 2


def test_centre_crops_are_square(corpus: Corpus):
    pictures = Pictures(corpus, corpus.entries, largest=64, gigabytes=0)
    assert centre_crops(pictures, 3, 32).shape == (3, 3, 32, 32)
