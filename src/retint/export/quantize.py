"""Whole numbers of eight bits for large weights: a smaller, coarser network.

Static quantisation, calibrated on pictures, with QuantizeLinear and DequantizeLinear around each
large layer (Jacob et al. 2018, arXiv:1712.05877); weights per channel, activations unsigned.
"""

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image
from torch import Tensor, nn

from retint.data.corpus import Corpus
from retint.errors import InputError
from retint.export.formats import onnx_single, read_onnx, save_onnx
from retint.export.graph import Exported
from retint.export.parity import Runner, allowed, given
from retint.layers.lab import lab, to_linear

LAYERS = ["Conv", "Gemm"]
PICTURES = 64  # of a folder, at most, evenly spread
SMALL = 4096  # weights with fewer numbers stay single: they cost colour and save nothing


@dataclass(frozen=True)
class Coarseness:
    """What eight bits cost and gain, measured on the calibration pictures against single precision.

    mean, worst: of the differences of a* and b*, Lab units; milliseconds: a picture's, then and
    now.
    """

    pictures: int
    mean: float
    worst: float
    milliseconds: tuple[float, float]


def quantized(
    net: nn.Module, rule: Mapping[str, Any], lightness: Sequence[np.ndarray]
) -> tuple[onnx.ModelProto, Coarseness]:
    """The network's ONNX graph in eight bits, its ranges taken from these pictures' L*."""
    pictures = [torch.from_numpy(L) for L in lightness]
    shown = [given(net, L) for L in pictures]
    with tempfile.TemporaryDirectory() as folder:
        single, folded, small = (Path(folder, f"{k}.onnx") for k in ("single", "folded", "small"))
        model = onnx_single(net, rule)
        save_onnx(model, {}, single)
        quant_pre_process(single, folded, skip_symbolic_shape=True)
        logging.disable(logging.WARNING)  # it recommends what has just been done
        try:
            quantize_static(
                folded,
                small,
                _Pictures(Exported(net).inputs, shown),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=LAYERS,
                nodes_to_quantize=_large_layers(model, net),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(small), _coarseness(read_onnx(single), read_onnx(small), shown)


def lightness(folder: Path, rule: Mapping[str, Any], working_size: int) -> list[np.ndarray]:
    """L* (1, 1, h, w) of a folder's pictures, as the Predictor gives them to the network.

    InputError where there are none.
    """
    corpus = Corpus(folder)
    step = max(1, len(corpus.entries) // PICTURES)
    found: list[np.ndarray] = []
    for entry in corpus.entries[::step][:PICTURES]:
        picture = corpus.picture(entry)
        scale = working_size / max(picture.size)
        if "fixed" in rule:
            scale = min(rule["fixed"][1] / picture.width, rule["fixed"][0] / picture.height)
        size = (max(2, round(picture.width * scale)), max(2, round(picture.height * scale)))
        pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), np.float32) / 255
        scene = to_linear(torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()))
        L = lab(scene)[:, :1].numpy()
        h, w = L.shape[2:]
        down, right = (b - a for a, b in zip((h, w), allowed(h, w, rule), strict=True))
        found.append(np.pad(L, ((0, 0), (0, 0), (0, down), (0, right)), mode="reflect"))
    if not found:
        raise InputError(f"{folder}: no pictures to calibrate with")
    return found


class _Pictures(CalibrationDataReader):
    """Pictures one after the other, in the calibration's own manner."""

    def __init__(self, names: Sequence[str], shown: Sequence[tuple[Tensor, ...]]) -> None:
        self.names = names
        self.rest: Iterator[tuple[Tensor, ...]] = iter(shown)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next picture, None after the last."""
        shown = next(self.rest, ())
        return {name: x.numpy() for name, x in zip(self.names, shown, strict=False)} or None


def _large_layers(model: onnx.ModelProto, net: nn.Module) -> list[str]:
    """Names of the nodes that multiply by a large weight of the network.

    Others do arithmetic on colours, which eight bits would make steps of.
    """
    weights = {name for name, weight in net.named_parameters() if weight.numel() >= SMALL}
    nodes = [n for n in model.graph.node if n.op_type in LAYERS and n.input[1] in weights]
    return [node.name for node in nodes]


def _coarseness(exact: Runner, coarse: Runner, shown: Sequence[tuple[Tensor, ...]]) -> Coarseness:
    off: list[float] = []
    worst = 0.0
    times: tuple[list[float], list[float]] = ([], [])
    for inputs in shown:
        found: list[Any] = []
        for run, seconds in zip((exact, coarse), times, strict=True):
            begun = time.perf_counter()
            found.append(run(*inputs)[0])
            seconds.append(time.perf_counter() - begun)
        apart = np.abs(found[0] - found[1])
        off.append(float(apart.mean()))
        worst = max(worst, float(apart.max()))
    before, after = (1e3 * float(np.median(seconds)) for seconds in times)
    return Coarseness(len(shown), float(np.mean(off)), worst, (before, after))
