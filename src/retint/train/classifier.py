"""A classifier of colour pictures on a corpus' labels: a frozen published encoder, a trained head.

What the encoder makes of each picture is computed once and kept in memory; the head then learns
from that in seconds. Encoder: MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381). The temperature
that makes shares honest: Guo et al. 2017, arXiv:1706.04599.
"""

import json
import math
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retint.color import lab_to_srgb, srgb_to_lab
from retint.data.corpus import Corpus, Entry
from retint.errors import InputError, ModelError, OptionsError, OutputError
from retint.hub import sha256
from retint.layers.mobilenet_v2 import CHANNELS, MobileNetV2
from retint.train.batches import Pictures, centre_crops, classes, cut, some
from retint.train.recipe import Augment

BACKBONE = "mobilenet_v2_imagenet.safetensors"
"""Name of the encoder's file in a folder of backbones."""

BATCH, HEAD_BATCH = 64, 512  # pictures to the encoder at once, and features to the head
PARITY = 1e-3  # the most by which a written network's logits may differ
OPSET = 17

Progress = Callable[[Iterable[int], str], Iterable[int]]


@dataclass(frozen=True)
class Settings:
    """How a classifier is trained; the same settings and corpus give the same head."""

    pictures: int | None = 15_000  # at most, chosen by the seed; None: all that have a label
    fewest: int = 50  # pictures of a label that counts
    crop: int = 128  # side of the crops that are learned from: a multiple of 32
    # Shorter side at use, a multiple of 32 too. Random crops show things larger than whole pictures
    # do: at use it is best above `crop` (Touvron et al. 2019, arXiv:1906.06423).
    size: int = 160
    views: int = 2  # crops of each picture
    epochs: int = 30
    rate: float = 1e-3
    decay: float = 1e-2
    smoothing: float = 0.1  # of the labels
    held_out: float = 0.05  # share of the pictures that nothing is learned from
    grey: bool = False  # learn from lightness alone
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("crop", "size"):
            if (side := getattr(self, name)) % 32 or side < 32:
                raise OptionsError(f"{name} is {side}, not a multiple of 32")


class ColourEncoder(MobileNetV2):
    """MobileNetV2 of a colour picture: sRGB (n, 3, h, w), 0..1, to (n, 1280, h/32, w/32)."""

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """Sides are multiples of 32."""
        x = F.relu6(self.stem(F.pad(2 * rgb - 1, (0, 1, 0, 1))))  # TensorFlow's SAME
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x))


class Net(nn.Module):
    """sRGB (n, 3, h, w), 0..1, h and w multiples of 32, to logits (n, labels).

    Its parts are called as those of the families that know subjects: `encoder` and `subject`.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.encoder = ColourEncoder()
        self.subject = nn.Linear(CHANNELS[-1], labels)

    def forward(self, rgb: Tensor) -> Tensor:
        """Logits, calibrated: their softmax is how sure to be."""
        return self.subject(self.encoder(rgb).mean((2, 3)))


@dataclass(frozen=True)
class Trained:
    """A classifier, what its outputs are called, and what is known of it, as plain values."""

    net: Net
    labels: list[str]
    about: dict[str, Any]


def train(
    corpus: Corpus,
    backbones: Path,
    settings: Settings,
    *,
    device: torch.device | str = "cpu",
    progress: Progress = lambda steps, _: steps,
) -> Trained:
    """Train a classifier on the labels that enough pictures of the corpus carry.

    backbones: folder with `mobilenet_v2_imagenet.safetensors`. OptionsError where fewer than two
    labels are left; InputError for a file that cannot be read.
    """
    torch.manual_seed(settings.seed)
    learned, held = corpus.split(settings.held_out)
    labels = classes(learned, settings.fewest)
    if len(labels) < 2:
        raise OptionsError(
            f"{corpus.folder}: {len(labels)} labels are carried by {settings.fewest} pictures: "
            "there is nothing to tell apart"
        )
    learned = some([e for e in learned if e.labels in labels], settings.pictures, settings.seed)
    held = [e for e in held if e.labels in labels]
    if not held:
        raise OptionsError(f"{corpus.folder}: no picture with these labels is held out")
    backbone = backbones / BACKBONE
    net = Net(len(labels)).to(device).eval()
    net.encoder.load(backbone)
    number = {name: k for k, name in enumerate(labels)}
    features = _views(net, corpus, learned, settings, progress)
    subjects = torch.tensor([number[e.labels] for e in learned]).repeat_interleave(settings.views)
    _fit(net.subject, features, subjects, settings, progress)
    true, grey = _held_out(net, corpus, held, settings, progress)
    told = torch.tensor([number[e.labels] for e in held])
    temperature = calibrate(net.subject, grey if settings.grey else true, told)
    about = {
        "pictures": len(learned),
        "held_out": {
            "pictures": len(held),
            "true": agreement(_logits(net.subject, true), told),
            "grey": agreement(_logits(net.subject, grey), told),
        },
        "temperature": round(temperature, 4),
        "settings": asdict(settings),
        "encoder": {"file": BACKBONE, "sha256": sha256(backbone)},
        "corpus": _digest(corpus.folder),
    }
    return Trained(net, labels, about)


def agreement(logits: Tensor, told: Tensor) -> dict[str, float]:
    """Share of the pictures whose label is the first, and is one of the first five."""
    ranks = (logits > logits.gather(1, told[:, None])).sum(1)
    return {
        "top1": round((ranks < 1).float().mean().item(), 4),
        "top5": round((ranks < 5).float().mean().item(), 4),
    }


def without_colour(crops: Tensor) -> Tensor:
    """The same crops, uint8 (n, 3, h, w), with their lightness alone."""
    lab = srgb_to_lab(crops.permute(0, 2, 3, 1).numpy().astype(np.float32) / 255)
    rgb = lab_to_srgb(lab * np.array((1, 0, 0), np.float32))
    return torch.from_numpy(np.rint(rgb * 255).astype(np.uint8)).permute(0, 3, 1, 2)


def write(trained: Trained, path: Path) -> None:
    """Write a classifier as ONNX, its labels and what is known of it inside.

    In: `rgb` (n, 3, h, w), 0..1. Out: `logits` (n, labels). ModelError where the file's answers
    differ from the network's; OutputError where it cannot be written.
    """
    net = trained.net.cpu().eval()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter speaks of its own future
            torch.onnx.export(
                net,
                (torch.rand(2, 3, 96, 160),),
                part,
                input_names=["rgb"],
                output_names=["logits"],
                dynamic_axes={"rgb": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n"}},
                opset_version=OPSET,
                dynamo=False,
            )
        model = onnx.load(part)
        said = {"labels": trained.labels, "size": trained.about["settings"]["size"]}
        text = json.dumps({**said, "multiple_of": 32, **trained.about})
        onnx.helper.set_model_props(model, {"retint.classifier": text})
        onnx.checker.check_model(model)
        onnx.save(model, part)
        _compare(net, part)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


@torch.no_grad()
def _compare(net: Net, path: Path) -> None:
    rgb = torch.rand(1, 3, 128, 96, generator=torch.Generator().manual_seed(0))
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"rgb": rgb.numpy()})
    off = float(np.abs(found - net(rgb).numpy()).max())
    if not off <= PARITY:
        raise ModelError(f"{path}: its logits differ from the network's by {off:.4f}")


def _views(
    net: Net,
    corpus: Corpus,
    entries: Sequence[Entry],
    settings: Settings,
    progress: Progress,
) -> Tensor:
    """What the encoder makes of each picture's views, (pictures * views, channels)."""
    pictures = Pictures(corpus, entries, largest=settings.crop, gigabytes=0)
    random = np.random.default_rng(settings.seed)
    found: list[Tensor] = []
    with ThreadPoolExecutor(2, thread_name_prefix="pictures") as pool:
        for start in progress(range(0, len(entries), BATCH), "looking"):
            batch = range(start, min(start + BATCH, len(entries)))
            pixels = list(pool.map(pictures.__getitem__, batch))
            views = [
                cut(pixels, random.random((len(pixels), 8)), settings.crop, Augment(), "cpu")
                for _ in range(settings.views)
            ]
            crops = torch.stack(views, 1).flatten(0, 1)
            found.append(_encode(net, without_colour(crops) if settings.grey else crops))
    return torch.cat(found)


def _held_out(
    net: Net,
    corpus: Corpus,
    entries: Sequence[Entry],
    settings: Settings,
    progress: Progress,
) -> tuple[Tensor, Tensor]:
    """What the encoder makes of the middle of each picture, in colour and in grey."""
    true: list[Tensor] = []
    grey: list[Tensor] = []
    for start in progress(range(0, len(entries), BATCH), "judging"):
        batch = entries[start : start + BATCH]
        pictures = Pictures(corpus, batch, largest=settings.size, gigabytes=0)
        crops = centre_crops(pictures, len(batch), settings.size)
        true.append(_encode(net, crops))
        grey.append(_encode(net, without_colour(crops)))
    return torch.cat(true), torch.cat(grey)


@torch.no_grad()
def _encode(net: Net, crops: Tensor) -> Tensor:
    """Mean features of uint8 crops, in half precision, on the CPU."""
    place = next(net.parameters()).device
    rgb = crops.to(place).contiguous(memory_format=torch.channels_last).float() / 255
    return net.encoder(rgb).mean((2, 3)).half().cpu()


def _fit(
    head: nn.Linear, features: Tensor, subjects: Tensor, settings: Settings, progress: Progress
) -> None:
    """Cross-entropy with AdamW, its rate falling to nothing along a cosine."""
    place = head.weight.device
    order = torch.Generator().manual_seed(settings.seed)
    optimiser = torch.optim.AdamW(head.parameters(), settings.rate, weight_decay=settings.decay)
    steps = settings.epochs * math.ceil(len(features) / HEAD_BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in progress(range(settings.epochs), "learning"):
        for chosen in torch.randperm(len(features), generator=order).split(HEAD_BATCH):
            said = head(features[chosen].float().to(place))
            loss = F.cross_entropy(
                said, subjects[chosen].to(place), label_smoothing=settings.smoothing
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


@torch.no_grad()
def _logits(head: nn.Linear, features: Tensor) -> Tensor:
    return head(features.float().to(head.weight.device)).cpu()


def calibrate(head: nn.Linear, features: Tensor, told: Tensor) -> float:
    """Divide the head's logits by the temperature at which the held-out pictures are likeliest."""
    logits = _logits(head, features)
    candidates = torch.logspace(-1, 1, 201).tolist()
    best = min(candidates, key=lambda t: F.cross_entropy(logits / t, told).item())
    with torch.no_grad():
        head.weight /= best
        assert head.bias is not None
        head.bias /= best
    return best


def _digest(folder: Path) -> dict[str, str]:
    """Which corpus this is: the sha256 of its manifest, where it has one."""
    manifest = folder / "manifest.csv"
    try:
        return {"name": folder.resolve().name, "manifest_sha256": sha256(manifest)}
    except FileNotFoundError:
        return {"name": folder.resolve().name}
    except OSError as error:
        raise InputError(f"{manifest}: cannot be read ({error.strerror})") from None
