"""`unet-patchgan` and `pix2pix-wgan`: their layers, their noise, their stages."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from retint import export
from retint.errors import ModelError
from retint.export import formats
from retint.models import family
from retint.predict import OnnxPredictor
from retint.train import checkpoint, recipe
from retint.train.loop import Training

RECIPES = Path(__file__).parents[1] / "recipes"


def tiny(name: str, seed: int = 0, **changes: Any) -> Any:
    architecture = family(name)
    torch.manual_seed(seed)
    return architecture.Net(dataclasses.replace(architecture.variants["tiny"], **changes))


def layers(net: nn.Module, *kinds: type[nn.Module]) -> list[Any]:
    return [module for module in net.modules() if isinstance(module, kinds)]


def test_the_u_net_of_pix2pix():
    """Table of appendix 6.1.1 of Isola et al., for one channel in and two out."""
    net = family("unet-patchgan").Net(family("unet-patchgan").variants["default"])
    convolutions = layers(net, nn.Conv2d, nn.ConvTranspose2d)
    widths = [(c.in_channels, c.out_channels) for c in convolutions]
    down = [(1, 64), (64, 128), (128, 256), (256, 512), *[(512, 512)] * 4]
    up = [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64), (128, 2)]
    assert widths == down + up
    assert {(c.kernel_size, c.stride) for c in convolutions} == {((4, 4), (2, 2))}
    assert len(layers(net, nn.BatchNorm2d)) == 6 + 7
    assert [d.p for d in layers(net, nn.Dropout)] == [0.5] * 3 + [0] * 4
    assert sum(p.numel() for p in net.parameters()) == 54_409_858
    assert net.size == {"multiple_of": 256}
    spread = torch.cat([c.weight.detach().flatten() for c in convolutions]).std().item()
    assert spread == pytest.approx(0.02, rel=0.01)


def test_every_place_sees_the_whole_picture():
    """Through the smallest maps, which lie at a 256th of the size in full, a 32nd in tiny."""
    net = tiny("unet-patchgan").eval()
    L = (torch.rand(1, 1, 32, 32) * 100).requires_grad_()
    net(L).place[0, :, 0, 0].sum().backward()
    assert L.grad is not None
    assert L.grad[0, 0].ne(0).all()


def test_a_u_net_that_goes_nowhere_is_refused():
    with pytest.raises(ModelError, match="fewer than two"):
        family("unet-patchgan").Net(family("unet-patchgan").Config(channels=(8,)))


def test_the_residual_u_net_has_the_notebooks_parameters():
    net = family("pix2pix-wgan").Net(family("pix2pix-wgan").variants["default"])
    assert sum(p.numel() for p in net.parameters()) == 8_216_194
    counts = [sum(p.numel() for p in stage.parameters()) for stage in (*net.down, *net.up)]
    assert counts == [37_824, 230_016, 918_784, 3_672_576, 2_557_184, 639_616, 160_064]
    assert [noise.rate for noise in net.noise] == [0.2] * 4


def test_the_notebooks_weights_load():
    """Under its names; its answer counts ab from 0, as 0.5 + ab / 256."""
    ours = tiny("pix2pix-wgan").state_dict()
    names = {v: k for k, v in family("pix2pix-wgan").BLOCKS.items()}
    theirs: dict[str, Tensor] = {}
    for name, value in ours.items():
        if name.startswith("last."):
            shift = 0.5 if name == "last.bias" else 0.0
            theirs["output" + name.removeprefix("last")] = value / 2 + shift
            continue
        block = next(ours for ours in names if name.startswith(ours))
        inner = name.removeprefix(block).replace("layers.", "layer.", 1)
        theirs[names[block] + inner.replace("beside.", "identity_map.", 1)] = value
    assert "decoding_layer3_.res_block.identity_map.weight" in theirs
    found = family("pix2pix-wgan").from_foreign(theirs)
    assert found.keys() == ours.keys()
    assert all(torch.allclose(found[name], value) for name, value in ours.items())


def test_noise_is_one_draw_at_use_and_many_in_training():
    L = torch.rand(3, 1, 32, 48) * 100
    net, other = tiny("pix2pix-wgan").eval(), tiny("pix2pix-wgan", noise=1).eval()
    with torch.no_grad():
        once, again, alone = net.predict(L)[0], net.predict(L)[0], net.predict(L[1:2])[0]
        assert torch.equal(once, again)
        assert torch.allclose(once[1:2], alone, atol=1e-4)
        assert not torch.allclose(once, other.predict(L)[0], atol=0.1)
        net.train()
        assert not torch.equal(net(L).place, net(L).place)


def test_noise_silences_its_share_everywhere():
    noise = family("pix2pix-wgan").Noise(10_000, 0.2, seed=3).eval()
    found = noise(torch.ones(2, 10_000, 2, 3))
    assert torch.equal(found, found[:1, :, :1, :1].expand_as(found))
    assert (found == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert found.mean().item() == pytest.approx(1, abs=0.02)


def test_noise_is_part_of_the_exported_network(tmp_path: Path):
    net = tiny("pix2pix-wgan", noise=2)
    net.train()(torch.rand(4, 1, 32, 32) * 100)
    kept = keep(net.eval(), tmp_path / "last.pt")
    kinds = ["onnx", "torchscript", "torch-export", "safetensors"]
    files = export.export([kept], tmp_path, name="noisy", version="1", formats=kinds)
    assert all(file.difference <= export.PARITY for file in files)
    run = OnnxPredictor(files[0].path)
    L = np.random.default_rng(0).uniform(0, 100, (1, 1, 41, 63)).astype(np.float32)
    assert np.array_equal(run(L).ab, run(L).ab)
    (other,) = export.export([kept], tmp_path, name="other", version="1", changes=["noise=3"])
    assert np.abs(OnnxPredictor(other.path)(L).ab - run(L).ab).max() > 0.1


def keep(net: nn.Module, path: Path) -> Path:
    """A checkpoint as a training leaves it."""
    name = type(net).__module__.rpartition(".")[2].replace("_", "-")
    state = {
        "recipe": recipe.to_dict(recipe.Recipe("test", family=name)),
        "config": dict(vars(net.config)),
        "net": net.state_dict(),
        "ema": net.state_dict(),
        "step": 1,
        "seconds": 1.0,
    }
    checkpoint.save(path, state)
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures: warm below, cold above."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for k in range(8):
        light = random.uniform(60, 200, (6, 6, 1))
        tint = np.where(np.arange(6)[:, None, None] < 3, (0.7, 0.9, 1.2), (1.2, 0.9, 0.6))
        pixels = np.clip(light * tint, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(folder / f"{k}.png")
    return folder


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("unet-patchgan.toml", ["l1", "adversarial l1"]),
        ("seeds/000-unet-patchgan.toml", ["l1", "adversarial l1", "adversarial l1"]),
        ("pix2pix-wgan.toml", ["l1 wgan"]),
        ("seeds/003-pix2pix-wgan.toml", ["l1 wgan"]),
    ],
)
def test_recipes_train_by_stages(path: str, stages: list[str], photographs: Path, tmp_path: Path):
    """As they are, but for the sizes, the lengths and the name of the archive's pictures."""
    read = recipe.load(RECIPES / path, ("variant=tiny", "data.sizes=[32]", "optimiser.batch=4"))
    assert [" ".join(sorted(stage.loss)) for stage in read.course] == stages
    two = recipe.Schedule(steps=2)
    short = tuple(dataclasses.replace(stage, schedule=two, datasets=()) for stage in read.course)
    read = dataclasses.replace(
        read,
        stages=short,
        critic=dataclasses.replace(read.critic, channels=4, depth=2),
        data=dataclasses.replace(read.data, large_side=32, large_share=None),
    )
    training = Training(read, photographs, tmp_path / "run")
    assert training.run()
    assert training.step == 2 * len(stages)
    (file,) = export.export([tmp_path / "run" / "last.pt"], tmp_path, name="x", version="1")
    assert file.difference <= export.PARITY
    assert formats.read_onnx(file.path)(torch.rand(1, 1, 32, 32) * 100)[0].shape == (1, 2, 32, 32)


def test_l1_teaches_the_generator_colours(photographs: Path, tmp_path: Path):
    for name in ("unet-patchgan", "pix2pix-wgan"):
        read = recipe.load(
            RECIPES / f"{name}.toml", ("variant=tiny", "data.sizes=[32]", "optimiser.batch=8")
        )
        read = dataclasses.replace(
            read,
            stages=(),
            loss={"l1": 1.0},
            film=recipe.Film(plain=1.0),
            optimiser=dataclasses.replace(read.optimiser, rate=1e-2, warmup=1, ema=0.0),
            schedule=recipe.Schedule(steps=60),
            validation=recipe.Validation(share=0.0, steps=5),
        )
        Training(read, photographs, tmp_path / name).run()
        rows = (tmp_path / name / "log.csv").read_text().splitlines()
        column = rows[0].split(",").index("val_ab")
        first, last = (float(rows[k].split(",")[column]) for k in (1, -1))
        assert last < 0.6 * first, (name, first, last)
