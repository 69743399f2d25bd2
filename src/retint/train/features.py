"""What a network makes of a photograph on its way: the feature maps of any layer, as a sheet."""

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from retint import color
from retint.data.picture import decode
from retint.errors import InputError, ModelError, OptionsError, OutputError
from retint.models import family
from retint.train import checkpoint

Array = NDArray[np.float32]

CELL = 150  # pixels: width of a map on the sheet
GAP, BAR, LINE = 12, 6, 15
COLUMNS = 8
BLUE, ORANGE = np.array((0.35, 0.70, 1.0)), np.array((1.0, 0.62, 0.15))
"""Below and above 0: colours that colour-blind readers tell apart."""


@dataclass(frozen=True)
class Layer:
    """A place in a network: its name, what it does, the shape (c, h, w) of what it gives."""

    name: str
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Maps:
    """Feature maps (c, h, w) of one layer, and the sRGB picture they are of."""

    layer: Layer
    values: Array
    picture: Image.Image


class Network:
    """A network that can be looked into: a training's checkpoint, or any .onnx that takes one
    picture.

    An .onnx gets L* 0..100 where its input has one channel, sRGB 0..1 where it has three. Raises
    InputError or ModelError for what is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inside = _Graph(path) if path.suffix == ".onnx" else _Module(path)

    def layers(self, picture: Image.Image) -> list[Layer]:
        """All layers whose answer for this picture consists of maps, in order."""
        found: list[Layer] = []

        def note(name: str, kind: str, values: Array) -> None:
            found.append(Layer(name, kind, values.shape))

        self._run(picture, None, note)
        return found

    def maps(self, picture: Image.Image, layer: str) -> Maps:
        """The maps of one layer, cut to the picture where that was padded.

        OptionsError with the nearest right names for a layer that is not there.
        """
        found: list[Maps] = []

        def keep(name: str, kind: str, values: Array) -> None:
            if name == layer:
                found.append(Maps(Layer(name, kind, values.shape), values, picture))

        self._run(picture, layer, keep)
        if not found:
            names = [known.name for known in self.layers(picture)]
            near = [name for name in names if layer.lower() in name.lower()]
            near = near or difflib.get_close_matches(layer, names, 8) or names
            more = ", ..." if len(near) > 8 else ""
            raise OptionsError(
                f"{self.path}: no layer {layer!r} that gives maps: there are "
                f"{', '.join(near[:8])}{more} (--list names them all)"
            )
        return found[0]

    def _run(
        self, picture: Image.Image, layer: str | None, take: Callable[[str, str, Array], None]
    ) -> None:
        """Show the picture to the network; `take` gets each layer's (or one layer's) maps."""
        pixels = np.asarray(picture, np.float32) / 255
        if self._inside.channels == 1:
            image = color.srgb_to_lab(pixels)[None, :, :, 0]
        else:
            image = pixels.transpose(2, 0, 1)
        image = np.asarray(image, np.float32)
        height, width = image.shape[1:]
        if self._inside.size:
            padded = _resized(image, *self._inside.size)
        else:
            step = self._inside.multiple_of
            room = ((0, 0), (0, -height % step), (0, -width % step))
            padded = np.pad(image, room, mode="reflect")

        def cut(name: str, kind: str, values: Array) -> None:
            if self._inside.size is None:
                h, w = values.shape[1:]
                values = values[
                    :, : ceil(h * height / padded.shape[1]), : ceil(w * width / padded.shape[2])
                ]
            take(name, kind, values)

        self._inside.run(padded[None], layer, cut)


class _Module:
    """The averaged weights of a checkpoint; torch's forward hooks look into them."""

    channels = 1

    def __init__(self, path: Path) -> None:
        state = checkpoint.load(path)
        if missing := {"recipe", "config", "ema"} - state.keys():
            raise InputError(f"{path}: not a training's checkpoint (no {', '.join(missing)})")
        architecture = family(state["recipe"]["family"])
        self.net: Any = architecture.Net(architecture.Config(**state["config"]))
        self.net.load_state_dict(state["ema"])
        self.net.eval()
        self.size = self.net.size.get("fixed")
        self.multiple_of: int = self.net.size.get("multiple_of", 1)

    @torch.no_grad()
    def run(self, image: Array, layer: str | None, take: Callable[..., None]) -> None:
        seen: set[str] = set()  # a layer may run again, at another size: the first time counts

        def look(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, _: Any, answer: Any) -> None:
                if isinstance(answer, Tensor) and answer.ndim == 4 and name not in seen:
                    seen.add(name)
                    take(name, type(module).__name__, answer[0].float().numpy())

            return hook

        hooks = [
            module.register_forward_hook(look(name))
            for name, module in self.net.named_modules()
            if name and layer in (None, name)
        ]
        try:
            self.net.predict(torch.from_numpy(image))
        finally:
            for hook in hooks:
                hook.remove()


class _Graph:
    """An .onnx file, in which what a node gives becomes an output of the whole."""

    def __init__(self, path: Path) -> None:
        try:
            self.model = onnx.load(path)
        except (OSError, DecodeError, onnx.checker.ValidationError) as error:
            raise ModelError(f"{path}: no readable network: {_line(error)}") from None
        self.path, graph = path, self.model.graph
        weights = {tensor.name for tensor in graph.initializer}
        inputs = [item for item in graph.input if item.name not in weights]
        shape = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim] if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (0, 1, 3):
            raise ModelError(f"{path}: takes no picture: one input (n, 1 or 3, h, w) is looked for")
        self.input = inputs[0]
        self.channels = shape[1] or 1
        self.size = (shape[2], shape[3]) if shape[2] and shape[3] else None
        self.multiple_of = _card_size(self.model)
        self.constants = _constants(graph)

    def run(self, image: Array, layer: str | None, take: Callable[..., None]) -> None:
        kinds = {name: node.op_type for node in self.model.graph.node for name in node.output}
        wanted = [n for n in kinds if n and n not in self.constants and layer in (None, n)]
        own = {item.name for item in self.model.graph.output}
        opened = onnx.ModelProto.FromString(self.model.SerializeToString())
        opened.graph.output.extend(onnx.ValueInfoProto(name=n) for n in wanted if n not in own)
        half = self.input.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                opened.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            fed = {self.input.name: image.astype(np.float16) if half else image}
            answers = session.run(wanted, fed) if wanted else []
        except Exception as error:  # onnxruntime's errors have no common class
            raise ModelError(f"{self.path}: failed: {_line(error)}") from None
        for name, values in zip(wanted, answers, strict=True):
            if isinstance(values, np.ndarray) and values.ndim == 4 and values.dtype.kind == "f":
                take(name, kinds[name], values[0].astype(np.float32))


def _constants(graph: onnx.GraphProto) -> set[str]:
    """What does not depend on the picture: weights, and what nodes make of weights alone."""
    fixed = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if all(name in fixed for name in node.input if name):
            fixed |= set(node.output)
    return fixed


def read(path: Path, longest: int) -> Image.Image:
    """A photograph in sRGB, upright, its longer side at most `longest` pixels. InputError where it
    cannot be read."""
    try:
        picture = decode(path.read_bytes())
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read ({_line(error)})") from None
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return picture


def order(values: Array, sort: str) -> NDArray[np.intp]:
    """Numbers of the maps (c, h, w), by "index" or the most active first: mean magnitude."""
    if sort == "index":
        return np.arange(len(values))
    return np.argsort(-np.abs(values).mean((1, 2)), kind="stable")


def limits(values: Array) -> tuple[float, float]:
    """The ends of a map's scale: its smallest and greatest value; where it has both signs, the
    greatest magnitude to either side of 0."""
    low, high = float(values.min()), float(values.max())
    if low < 0 < high:
        return -max(-low, high), max(-low, high)
    return low, high


def paint(values: Array, low: float, high: float) -> NDArray[np.uint8]:
    """Values on the scale low..high as sRGB codes (..., 3).

    Black to white; about 0 from blue over black to orange, so that black is nothing.
    """
    if low < 0 < high:
        part = values[..., None] / high
        rgb = np.where(part < 0, -part * BLUE, part * ORANGE)
    else:
        rgb = ((values - low) / ((high - low) or 1.0))[..., None].repeat(3, -1)
    return np.rint(rgb.clip(0, 1) * 255).astype(np.uint8)


def write_sheet(maps: Maps, target: Path, *, sort: str = "activation", most: int = 48) -> Path:
    """Write the picture and at most `most` of its maps, each on its own scale, to .png or .jpg.

    OutputError where `target` cannot be written.
    """
    chosen = order(maps.values, sort)[:most]
    height = max(24, round(CELL * maps.picture.height / maps.picture.width))
    cell = height + BAR + LINE + GAP
    across = min(COLUMNS, max(1, len(chosen)))
    down = -(-len(chosen) // across)
    left = 2 * CELL + 2 * GAP
    sheet = Image.new(
        "RGB",
        (left + across * (CELL + GAP) + GAP, max(down * cell, 2 * height + 5 * LINE) + 2 * GAP),
        "white",
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    picture = maps.picture.resize((2 * CELL, 2 * height), Image.Resampling.LANCZOS)
    sheet.paste(picture, (GAP, GAP))
    c, h, w = maps.values.shape
    by = "the most active first" if sort == "activation" else "by number"
    shown = f"{len(chosen)} of {c} maps" if len(chosen) < c else f"{c} maps"
    for i, line in enumerate(
        [maps.layer.name, f"{maps.layer.kind}, {c} x {h} x {w}", f"{shown}, {by}"]
    ):
        draw.text((GAP, 2 * height + 2 * GAP + i * LINE), _short(line), "black", font)
    for i, channel in enumerate(chosen):
        x, y = left + (i % across) * (CELL + GAP), GAP + (i // across) * cell
        values = maps.values[channel]
        low, high = limits(values)
        square = Image.fromarray(paint(values, low, high))
        square = square.resize((CELL, height), Image.Resampling.NEAREST)
        sheet.paste(square, (x, y))
        scale = np.linspace(low, high, CELL, dtype=np.float32)[None].repeat(BAR, 0)
        sheet.paste(Image.fromarray(paint(scale, low, high)), (x, y + height + 2))
        below = y + height + BAR + 2
        draw.text((x, below), f"{low:.3g}", "#666666", font)
        draw.text((x + CELL / 2, below), f"{channel}", "black", font, anchor="ma")
        draw.text((x + CELL, below), f"{high:.3g}", "#666666", font, anchor="ra")
    try:
        sheet.save(target, quality=92)
    except (OSError, ValueError) as error:
        target.unlink(missing_ok=True)
        raise OutputError(f"{target}: cannot be written ({_line(error)})") from None
    return target


def _resized(image: Array, height: int, width: int) -> Array:
    tensor = torch.from_numpy(image)[None]
    return nn.functional.interpolate(tensor, size=(height, width), mode="bilinear", antialias=True)[
        0
    ].numpy()


def _card_size(model: onnx.ModelProto) -> int:
    """The size rule of a retint card in the file; 32, which suits most networks, without one."""
    for item in model.metadata_props:
        if item.key == "retint.card":
            return json.loads(item.value).get("size", {}).get("multiple_of", 32)
    return 32


def _short(line: str) -> str:
    return line if len(line) <= 48 else f"{line[:20]}...{line[-25:]}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
