"""Networks over features of published classifiers: their layers, and files of such weights."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from retint.errors import InputError
from retint.layers import weights
from retint.layers.inception_resnet_v2 import InceptionResNetV2
from retint.layers.lab import lab
from retint.layers.mobilenet_v2 import MobileNetV2
from retint.layers.vgg import VGG16Stages
from retint.models import family
from retint.train import recipe
from retint.train.processes import Alone
from retint.train.tasks import Circumstances, Truth, terms

FIXTURES = Path(__file__).parent / "fixtures" / "keys"
RECIPES = Path(__file__).parents[1] / "recipes"


def published(name: str) -> dict[str, list[int]]:
    """Names and shapes of the weights of another package's network: which, the file says."""
    return dict(json.loads((FIXTURES / f"{name}.json").read_text())["keys"])


def empty(name: str, variant: str = "default") -> Any:
    with torch.device("meta"):
        return family(name).Net(family(name).variants[variant])


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def convolutions(module: nn.Module) -> list[tuple[int, int, int, int]]:
    """(in, out, kernel, stride) of each convolution, in order."""
    found = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    return [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0]) for m in found]


# ---- the encoders are those of other packages


def test_inception_resnet_v2_has_the_published_names_and_shapes():
    with torch.device("meta"):
        ours = {k: list(v.shape) for k, v in InceptionResNetV2().state_dict().items()}
    assert ours == published("inception_resnet_v2_timm")
    assert count(empty("koalarization").encoder) == 55_843_464


@pytest.mark.parametrize("stages", [1, 3, 4, 5])
def test_vgg16_has_the_published_names_and_shapes(stages: int):
    with torch.device("meta"):
        ours = {k: list(v.shape) for k, v in VGG16Stages(stages).state_dict().items()}
    theirs = published("vgg16_torchvision")
    assert ours == {k: theirs[k] for k in list(theirs)[: len(ours)]}
    assert stages < 5 or all(k in ours for k in theirs if k.startswith("features."))


@pytest.mark.parametrize("package", ["timm", "pretrainedmodels"])
def test_files_of_both_ports_of_inception_resnet_v2_are_read(package: str, tmp_path: Path):
    shapes = published(f"inception_resnet_v2_{package}")
    nothing = torch.zeros(())  # one number in a file, however large the shape
    state = {k: nothing.expand(shape) for k, shape in shapes.items()}
    head = "classif" if package == "timm" else "last_linear"
    state[f"{head}.bias"] = torch.arange(float(len(state[f"{head}.bias"])))
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save({"state_dict": state}, tmp_path / "published.pth")
    net: Any = InceptionResNetV2()
    net.load(tmp_path / "published.pth")
    background = 0 if package == "timm" else 1  # comes before the classes
    assert torch.equal(net.classif.bias, torch.arange(1000.0) + background)
    assert not net.mixed_7a.branch0[1].conv.weight.any()


def test_a_file_of_torchvisions_vgg16_is_read(tmp_path: Path):
    shapes = published("vgg16_torchvision")
    half = torch.full((1,), 0.5)
    state = {k: half.expand(s) for k, s in shapes.items() if k.startswith("features.")}
    state["classifier.6.bias"] = torch.zeros(1000)
    torch.save(state, tmp_path / "vgg16.pth")
    net = VGG16Stages(4)
    net.load(tmp_path / "vgg16.pth")
    assert all((p == 0.5).all() for p in net.parameters())


def test_stages_that_a_file_lacks_stay_as_they_are(tmp_path: Path):
    torch.manual_seed(0)
    short, path = VGG16Stages(3, width=1 / 16), tmp_path / "short.safetensors"
    save_file({k: v.half() for k, v in short.state_dict().items()}, path)
    for name in ("chromagan", "residual-encoder"):
        net = family(name).Net(family(name).variants["tiny"])
        before = {k: v.clone() for k, v in net.encoder.state_dict().items()}
        net.start_from(path)
        for key, value in net.encoder.state_dict().items():
            expected = short.state_dict().get(key)
            same = before[key] if expected is None else expected.half().float()
            assert torch.equal(value, same), key
    with pytest.raises(InputError, match=r"no VGG-16 stages \(features.17.weight is missing\)"):
        VGG16Stages(4, width=1 / 16).load(path)
    with pytest.raises(InputError, match=r"no VGG-16 stages \(features.0.weight is \(4, 3, 3, 3\)"):
        VGG16Stages(3).load(path)


def test_the_published_stages_start_both_families(shared: Path):
    path = shared / "backbones" / "vgg16_conv1-3.safetensors"
    net = family("residual-encoder").Net(family("residual-encoder").variants["default"])
    last = net.encoder.features[21].weight.clone()
    net.start_from(path)
    plain: Any = VGG16Stages(3)
    plain.load(path)
    assert torch.equal(net.encoder.features[14].weight, plain.features[14].weight)
    assert torch.equal(net.encoder.features[21].weight, last)


def test_what_holds_no_weights_is_refused(tmp_path: Path):
    class Code:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    torch.save({"features.0.weight": Code()}, tmp_path / "code.pth")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    (tmp_path / "text.safetensors").write_text("no")
    for name in ("code.pth", "other.pth", "text.safetensors", "gone.pth"):
        with pytest.raises(InputError, match=name):
            weights.read(tmp_path / name)
    assert not (tmp_path / "run").exists()


def test_vgg16_takes_both_conventions():
    """The same picture, in the units that each kind of weights expects."""
    grey = torch.full((1, 3, 8, 8), 0.5)
    conventions: Any = {"caffe": 127.5 - 123.68, "torchvision": (0.5 - 0.485) / 0.229}
    for convention, expected in conventions.items():
        net: Any = VGG16Stages(1, convention=convention)
        first, last = net.features[0], net.features[2]
        for layer in (first, last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        red = 2 if convention == "caffe" else 0
        with torch.no_grad():
            first.weight[0, red, 1, 1] = 1.0
            last.weight[0, 0, 1, 1] = 1.0
        assert net(grey)[0][0, 0, 4, 4].item() == pytest.approx(expected, abs=1e-3)


def test_inception_resnet_v2_takes_every_shape_of_picture():
    net = InceptionResNetV2(7, side=75, width=1 / 32, repeats=(1, 2, 1)).eval()
    with torch.no_grad():
        assert net(torch.rand(2, 1, 24, 200) * 100).shape == (2, 7)


# ---- koalarization


def test_koalarization_has_the_papers_layers():
    net = empty("koalarization")
    assert convolutions(net.down) == [
        (1, 64, 3, 2),
        (64, 128, 3, 1),
        (128, 128, 3, 2),
        (128, 256, 3, 1),
        (256, 256, 3, 2),
        (256, 512, 3, 1),
        (512, 512, 3, 1),
        (512, 256, 3, 1),
    ]
    assert convolutions(net.fusion) == [(1256, 256, 1, 1)]
    assert convolutions(nn.ModuleList([net.at8, net.at4, net.at2])) == [
        (256, 128, 3, 1),
        (128, 64, 3, 1),
        (64, 64, 3, 1),
        (64, 32, 3, 1),
        (32, 2, 3, 1),
    ]
    assert count(net) - count(net.encoder) == 6_573_794


@pytest.mark.parametrize(("extractor", "width"), [("vgg16", 1 / 16), ("mobilenet-v2", 1.0)])
def test_another_extractor_can_be_plugged_in(extractor: str, width: float, tmp_path: Path):
    module = family("koalarization")
    tiny = module.variants["tiny"]
    config = dataclasses.replace(tiny, extractor=extractor, width=width, side=64)
    net = module.Net(config).eval()
    L = torch.rand(1, 1, 32, 48) * 100
    with torch.no_grad():
        before = net(L).place
        assert before.shape == (1, 2, 16, 24)
        other = VGG16Stages(5, width=width) if extractor == "vgg16" else MobileNetV2()
        save_file(other.state_dict(), tmp_path / "other.safetensors")
        net.start_from(tmp_path / "other.safetensors")
        assert not torch.equal(net(L).place, before)


def test_what_the_whole_shows_is_told_to_every_place():
    """A place far beyond the reach of the convolutions changes colour here."""
    torch.manual_seed(0)
    for name in ("koalarization", "chromagan"):
        net = family(name).Net(family(name).variants["tiny"]).eval()
        L = torch.full((1, 1, 32, 512), 50.0)
        other = L.clone()
        other[:, :, :, 256:] = torch.rand(1, 1, 32, 256) * 100
        with torch.no_grad():
            assert not torch.equal(net(L).place[..., :8], net(other).place[..., :8])


# ---- ChromaGAN


def test_chromagan_has_the_authors_layers():
    net = empty("chromagan")
    assert convolutions(net.whole) == [
        (512, 512, 3, 2),
        (512, 512, 3, 1),
        (512, 512, 3, 2),
        (512, 512, 3, 1),
    ]
    assert [(m.in_features, m.out_features) for m in net.told] == [
        (7 * 7 * 512, 1024),
        (1024, 512),
        (512, 256),
    ]
    assert [(m.in_features, m.out_features) for m in net.subject] == [
        (7 * 7 * 512, 4096),
        (4096, 4096),
        (4096, 1000),
    ]
    assert convolutions(net.middle) == [(512, 512, 3, 1), (512, 256, 3, 1)]
    assert convolutions(nn.ModuleList([net.at8, net.at4, net.at2])) == [
        (512, 256, 1, 1),
        (256, 128, 3, 1),
        (128, 64, 3, 1),
        (64, 64, 3, 1),
        (64, 32, 3, 1),
        (32, 2, 3, 1),
    ]


def test_chromagan_names_subjects_and_both_branches_reach_what_they_share():
    module = family("chromagan")
    net = module.Net(dataclasses.replace(module.variants["tiny"], subjects=5))
    answer = net(torch.rand(2, 1, 48, 32) * 100)
    assert answer.subject.shape == (2, 5)
    for part in (answer.subject, answer.ab):
        net.zero_grad()
        part.square().sum().backward(retain_graph=True)
        assert net.whole[0].weight.grad.any()
        assert net.encoder.features[0].weight.grad.any()


def test_chromagans_three_terms_reach_every_parameter():
    module, how = family("chromagan"), recipe.load(RECIPES / "chromagan.toml")
    torch.manual_seed(0)
    net = module.Net(dataclasses.replace(module.variants["tiny"], subjects=3))
    scene = torch.rand(2, 3, 64, 64)
    truth = Truth(lab(scene)[:, :1], scene, torch.tensor([0, 2]))
    given = Circumstances(how, net, None, ["cat", "dog", "tree"], "cpu", Alone().spread)
    parts: Any = terms(how.loss, given)
    answer = net(truth.L)
    for part in parts.values():
        part.learn(net, answer, truth)
    said = [weight * parts[name](net, answer, truth) for name, weight in how.loss.items()]
    torch.stack(said).sum().backward()
    assert not [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]


# ---- the residual encoder


def test_the_residual_encoder_has_the_described_layers():
    net = empty("residual-encoder")
    assert net.encoder.channels == [64, 128, 256, 512]
    assert convolutions(nn.ModuleList([net.coarsest, *net.steps, net.mix, net.last])) == [
        (512, 256, 1, 1),
        (256, 128, 3, 1),
        (128, 64, 3, 1),
        (64, 3, 3, 1),
        (3, 3, 3, 1),
        (3, 2, 3, 1),
    ]
    assert [norm.num_features for norm in net.norms] == [3, 64, 128, 256, 512]
    # 1x1 and 3x3 weights without biases; twice the channels of each batch norm
    own = 512 * 256 + 9 * (256 * 128 + 128 * 64 + 64 * 3 + 3 * 3 + 3 * 2)
    norms = 2 * (3 + 64 + 128 + 256 + 512) + 2 * (128 + 64 + 3 + 3 + 2)
    assert count(net) - count(net.encoder) == own + norms


def test_every_stage_is_summed():
    """Silencing the norm of any one of them changes the colours."""
    torch.manual_seed(0)
    net = family("residual-encoder").Net(family("residual-encoder").variants["tiny"])
    L = torch.rand(2, 1, 32, 32) * 100
    whole = net(L).place
    for norm in net.norms:
        kept = norm.weight.detach().clone()
        with torch.no_grad():
            norm.weight.zero_()
        assert not torch.equal(net(L).place, whole)
        with torch.no_grad():
            norm.weight.copy_(kept)


def test_the_recipe_leaves_alone_what_its_file_has():
    frozen = recipe.load(RECIPES / "residual-encoder.toml").freeze
    net = empty("residual-encoder")
    still = [key for key, _ in net.named_parameters() if key.startswith(frozen)]
    with torch.device("meta"):
        assert still == [f"encoder.{key}" for key, _ in VGG16Stages(3).named_parameters()]
