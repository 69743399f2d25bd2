"""From a colour photograph to a grey one: the formulas agree with `retint.color`, and wear stays
in bounds."""

import dataclasses

import numpy as np
import pytest
import torch

from conftest import scene
from retint import color
from retint.layers import lab
from retint.train import film
from retint.train.recipe import Film

PLAIN = Film(plain=1.0)


def pictures(count: int = 4, size: int = 64) -> torch.Tensor:
    drawn = np.stack([scene(size, size, seed) for seed in range(count)])
    return torch.from_numpy((drawn * 255).round().astype(np.uint8).transpose(0, 3, 1, 2).copy())


def test_lab_and_back_agree_with_the_colour_room():
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    ours = lab.lab(lab.to_linear(rgb)).permute(0, 2, 3, 1).numpy()
    assert np.abs(ours - color.srgb_to_lab(rgb.permute(0, 2, 3, 1).numpy())).max() < 0.02
    L, ab = torch.from_numpy(ours).permute(0, 3, 1, 2).split((1, 2), 1)
    assert (lab.srgb(L, ab) - rgb).abs().max() < 1e-3


def test_colour_out_of_gamut_keeps_its_lightness():
    L = torch.full((1, 1, 1, 1), 50.0)
    rgb = lab.srgb(L, torch.tensor([150.0, -180.0])[None, :, None, None])
    assert abs(lab.lab(lab.to_linear(rgb))[0, 0].item() - 50) < 0.1


def test_colour_is_as_exact_where_a_training_works_in_half_precision():
    linear = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    exact = lab.lab(linear)
    there = lab.srgb(*exact.split((1, 2), 1))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(lab.lab(linear), exact)
        assert torch.equal(lab.srgb(*exact.split((1, 2), 1)), there)


def test_plain_film_is_luminance():
    pixels = pictures()
    L, linear = film.develop(pixels, PLAIN, torch.Generator().manual_seed(1))
    assert torch.allclose(L, lab.lab(linear)[:, :1], atol=1e-3)


@pytest.mark.parametrize("wear", [f.name for f in dataclasses.fields(Film) if f.name != "plain"])
def test_every_kind_of_wear_changes_the_grey_but_not_the_scene(wear: str):
    pixels = pictures()
    none = Film(plain=0.0, **{f.name: 0.0 for f in dataclasses.fields(Film) if f.name != "plain"})
    clean, before = film.develop(pixels, none, torch.Generator().manual_seed(1))
    worn, after = film.develop(
        pixels, dataclasses.replace(none, **{wear: 1.0}), torch.Generator().manual_seed(1)
    )
    assert worn.min() >= 0
    assert worn.max() <= 100
    assert torch.equal(before, after)
    changed = (worn - clean).abs().mean((1, 2, 3))
    assert (changed > 0.1).all(), changed
    assert (changed < 40).all(), changed


def test_the_same_generator_gives_the_same_film():
    pixels = pictures()
    once, again = (
        film.develop(pixels, Film(), torch.Generator().manual_seed(7))[0] for _ in range(2)
    )
    assert torch.equal(once, again)
