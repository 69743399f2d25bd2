"""A network behind one face: L* in, colour and confidence out, at any size, on a named device."""

import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from retint import hub
from retint.chroma import triangle
from retint.errors import DeviceError, ModelError, OptionsError
from retint.hub import Card

Array: TypeAlias = NDArray[np.float32]

_ort: Any = onnxruntime  # it has no types

# "auto" takes the first of these that works.
PREFERRED = ("cuda", "cpu")


@dataclass(frozen=True)
class Prediction:
    """Colour of a batch: ab (n, 2, h, w) in Lab units, confidence (n, 1, h, w) in 0..1, float32.

    subject: (n, c), the share of each of the subjects on the model's card, where it names some.
    """

    ab: Array
    confidence: Array
    subject: Array | None = None


class Predictor(Protocol):
    """What guesses colour: called with L* (n, 1, h, w), 0..100, float32, for any h, w >= 1."""

    name: str
    version: str
    weights_sha256: str
    device: str

    def __call__(
        self, L: Array, hints: Array | None = None, tilt: Array | None = None
    ) -> Prediction:
        """Give the colour, of L's size."""
        ...


class OnnxPredictor:
    """A network in an .onnx file; the same input gives the same pixels, alone or in a batch.

    card: the model's; without one the copy inside the file (`retint.card` in its metadata).
    device: "auto", "cpu", "cuda" or another of `devices()`; `.device` says which it became.
    threads: on the CPU; None for as many as this process may use. The pixels do not depend on it.
    sha256: of the file, where it has just been checked.

    Raises ModelError for a file that is no network of this face, DeviceError for a device that
    is not to be had, OptionsError for threads below 1.
    """

    def __init__(
        self,
        path: str | Path,
        card: Card | None = None,
        device: str = "cpu",
        threads: int | None = None,
        *,
        sha256: str | None = None,
    ) -> None:
        self.path = Path(path)
        if threads is not None and threads < 1:
            raise OptionsError(f"threads is {threads}, not at least 1")
        try:
            self.weights_sha256 = sha256 or hub.sha256(self.path)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from error
        self.device, self._session = open_session(self.path, device, threads or available_threads())
        self.card = card or self._embedded_card()
        self.name = self.card.name
        self.version = self.card.version
        self.takes, self._gives = _face(self._session, self.path)

    @property
    def hints(self) -> bool:
        """Whether it takes colours given in a few places."""
        return "hints" in self.takes

    @property
    def alternatives(self) -> bool:
        """Whether it has several answers, as plausible as the first."""
        return "tilt" in self.takes

    def __call__(
        self, L: Array, hints: Array | None = None, tilt: Array | None = None
    ) -> Prediction:
        """Guess the colour of lightness L (n, 1, h, w), 0..100, float32, any h, w >= 1.

        What the network's size rule asks for is padded by reflection and cut off again; for a
        network of one fixed size the picture is scaled into it, aspect ratio kept. hints, for a
        model that takes some: (n, 3, h, w), a* and b* in Lab units where the mask, last, is 1, and
        0 elsewhere; none by default. tilt, for a model that takes one: (m, 2), theta, which makes
        each colour c exp(theta . c) times as likely; one picture may have several, and gets as many
        answers. Raises ModelError where the result is not finite, or the model does not take what
        is given.
        """
        if L.ndim != 4 or L.shape[1] != 1 or 0 in L.shape:
            raise ValueError(f"L is (n, 1, h, w), not {L.shape}")
        n, _, height, width = L.shape
        given = {"L": L}
        if self.hints:
            shown = np.zeros((n, 3, height, width), np.float32) if hints is None else hints
            if shown.shape != (n, 3, height, width):
                raise ValueError(f"for L {L.shape} hints are (n, 3, h, w), not {shown.shape}")
            given["hints"] = shown
        elif hints is not None:
            raise ModelError(f"{self.name} {self.version} takes no hints")
        if tilt is not None and "tilt" not in self.takes:
            raise ModelError(f"{self.name} {self.version} gives no alternatives")
        if self.card.fixed is None:
            step = self.card.multiple_of
            return self._run(given, tilt, height + -height % step, width + -width % step)
        scale = min(self.card.fixed[0] / height, self.card.fixed[1] / width)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        small = {name: resize(x, *size) for name, x in given.items()}
        if (
            "hints" in small
        ):  # a place that is hinted in part has the hint's colour, not a paler one
            mask = small["hints"][:, 2:]
            small["hints"] = np.divide(small["hints"], mask, where=mask > 0, out=0 * small["hints"])
        found = self._run(small, tilt, *self.card.fixed)
        return Prediction(
            resize(found.ab, height, width),
            resize(found.confidence, height, width).clip(0, 1),
            found.subject,
        )

    def _run(
        self, given: dict[str, Array], tilt: Array | None, height: int, width: int
    ) -> Prediction:
        """Pad to the given size below and to the right, run, cut."""
        n, _, h, w = given["L"].shape
        edge = (0, 0), (0, 0), (0, height - h), (0, width - w)
        # Reflection looks more like a photograph than an edge drawn out, to a network that also
        # takes in the picture as a whole.
        padded = {name: np.pad(x, edge, mode="reflect") for name, x in given.items()}
        if "tilt" in self.takes:
            padded["tilt"] = np.zeros((n, 2), np.float32) if tilt is None else tilt
            n = max(n, len(padded["tilt"]))
        try:
            ab, confidence, *subject = self._session.run(
                self._gives,
                {name: np.ascontiguousarray(x, np.float32) for name, x in padded.items()},
            )
        except Exception as error:  # onnxruntime's errors have no common class
            raise ModelError(f"{self.name} {self.version} failed: {_line(error)}") from error
        if ab.shape != (n, 2, height, width) or confidence.shape != (n, 1, height, width):
            raise ModelError(
                f"{self.path}: for L (n, 1, {height}, {width}) the network gave ab {ab.shape}"
                f" and confidence {confidence.shape}"
            )
        ab, confidence = ab[..., :h, :w], confidence[..., :h, :w]
        if not (np.isfinite(ab).all() and np.isfinite(confidence).all()):
            raise ModelError(f"{self.name} {self.version} gave colours that are no numbers")
        return Prediction(ab, confidence.clip(0, 1), *subject)

    def _embedded_card(self) -> Card:
        text = self._session.get_modelmeta().custom_metadata_map.get("retint.card")
        if text is None:
            raise ModelError(f"{self.path}: no retint model (its metadata has no retint.card)")
        try:
            return Card.from_dict(dict(json.loads(text)), str(self.path))
        except (ValueError, TypeError) as error:
            raise ModelError(f"{self.path}: its retint.card cannot be read: {error}") from error


def load(
    name_or_path: str | Path = "default", *, device: str = "auto", threads: int | None = None
) -> OnnxPredictor:
    """Load a model by name (`default`, `default@1.1`), or any .onnx with a retint card by path.

    Weights are downloaded at first use where they are not shipped. device and threads, and what
    is raised: as for `OnnxPredictor`; ModelError for a name that no model has.
    """
    named = str(name_or_path)
    if isinstance(name_or_path, Path) or not hub.is_name(named):
        return OnnxPredictor(named, None, device, threads)
    found = hub.find(named)
    return OnnxPredictor(found.weights(), found.card, device, threads, sha256=found.card.sha256)


def devices() -> list[str]:
    """Devices that the installed onnxruntime was built for, best first: "cuda", "cpu", ..."""
    offered = [_device(provider) for provider in _ort.get_available_providers()]
    return [device for device in offered if device != "azure"]  # a web service, not a device


def available_threads(root: Path = Path("/")) -> int:
    """CPUs that this process may use: its affinity, and its container's limits (cgroup v1, v2).

    root: where /proc and /sys are looked for.
    """
    if sys.version_info >= (3, 13):
        count = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min([count, *(math.ceil(quota) for quota in _cgroup_quotas(root))]))


def resize(image: Array, height: int, width: int) -> Array:
    """Resize (..., h, w) linearly, averaging where it shrinks; a constant stays constant."""
    rows, columns = triangle(image.shape[-2], height), triangle(image.shape[-1], width)
    return (rows @ image @ columns.T).astype(np.float32)


def open_session(path: Path, device: str, threads: int) -> tuple[str, Any]:
    """Open an .onnx of any face on the device asked for: which device it is, and the session.

    Raises ModelError and DeviceError as `OnnxPredictor` does.
    """
    offered = devices()
    if device != "auto" and device not in offered:
        raise DeviceError(
            f"device {device} is not to be had: this onnxruntime offers {', '.join(offered)}"
            + ("; for an NVIDIA card: pip install onnxruntime-gpu" if device == "cuda" else "")
        )
    options = _ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the time of whatever else runs: half of it, measured.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # pictures differ in size: a plan for each costs memory
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # what matters is raised
    wanted = [name for name in PREFERRED if name in offered] if device == "auto" else [device]
    reason = "it did not start"
    for name in wanted:
        provider = _provider(name)
        try:
            session = _ort.InferenceSession(
                path, options, providers=[provider], enable_fallback=False
            )
        except Exception as error:  # onnxruntime's errors have no common class
            if name == "cpu":
                raise ModelError(f"{path}: no readable network: {_line(error)}") from error
            reason = _line(error)
        else:
            # onnxruntime may drop a provider that it cannot start, and go on with the CPU
            if session.get_providers()[0] == provider:
                return name, session
    raise DeviceError(f"device {device} is not to be had, though onnxruntime has it: {reason}")


def _device(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider").lower()


def _provider(device: str) -> str:
    return next(p for p in _ort.get_available_providers() if _device(p) == device)


def _face(session: Any, path: Path) -> tuple[frozenset[str], list[str]]:
    """What a network takes and gives, all float32: every retint network takes L, and maybe hints
    and a tilt, and gives ab and confidence, and maybe a subject."""
    takes = {item.name: item.type for item in session.get_inputs()}
    gives = {item.name: item.type for item in session.get_outputs()}
    known = {"L"} <= takes.keys() <= {"L", "hints", "tilt"} and {"ab", "confidence"} <= gives.keys()
    told = [name for name in ("ab", "confidence", "subject") if name in gives]
    kinds = {*takes.values(), *(gives[name] for name in told)}
    if not known or kinds != {"tensor(float)"}:
        raise ModelError(
            f"{path}: no retint model: it takes {takes} and gives {gives},"
            " not float L and float ab, confidence"
        )
    return frozenset(takes), told


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _cgroup_quotas(root: Path) -> list[float]:
    """CPU quotas, in CPUs, of the process' control groups and all groups above them."""
    quotas: list[float] = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        base = root / "sys/fs/cgroup"
        if controllers:  # version 1: one tree per controller
            if "cpu" not in controllers.split(","):
                continue
            base /= "cpu"
        # in a container the group's own folder may be what is mounted at the base
        for folder in (base / group.strip("/"), *(base / group.strip("/")).parents):
            if controllers:
                quota = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
            else:
                quota = tuple(_read(folder / "cpu.max").split())
            if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():  # not "max", not -1
                quotas.append(int(quota[0]) / int(quota[1]))
            if folder == base:
                break
    return quotas


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""
