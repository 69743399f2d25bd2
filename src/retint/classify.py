"""What a picture shows, among the labels that a classifier knows: an .onnx that `retint classifier`
wrote, or another of its face."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retint import hub
from retint.color import Floats
from retint.errors import ModelError
from retint.predict import available_threads, open_session, resize

Shares: TypeAlias = NDArray[np.float32]

METADATA = "retint.classifier"
"""Key of what a classifier says of itself: JSON with `labels`, `size`, `multiple_of` at least."""

LONGEST = 3.0
"""A picture is seen at most so many times as long as it is wide."""


class Classifier:
    """A network of the face `rgb` (n, 3, h, w), 0..1 -> `logits` (n, labels), with its labels.

    labels: names of the outputs. size: shorter side, in pixels, at which a picture is seen. about:
    everything that the file says of itself. device, threads: as for `predict.OnnxPredictor`.
    Raises ModelError for a file that is no such network, DeviceError for a device that is not to
    be had.
    """

    def __init__(self, path: str | Path, device: str = "cpu", threads: int | None = None) -> None:
        self.path = Path(path)
        try:
            self.sha256 = hub.sha256(self.path)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from error
        self.device, self._session = open_session(self.path, device, threads or available_threads())
        self.about = self._read()
        self.labels: tuple[str, ...] = tuple(self.about["labels"])
        self.size: int = self.about["size"]
        self.multiple_of: int = self.about["multiple_of"]

    def __call__(self, rgb: Floats) -> Shares:
        """How likely each label is, (labels,), of a picture (h, w, 3), encoded sRGB, 0..1.

        The whole picture is seen, its sides scaled to the nearest multiples that the network takes.
        """
        shown = np.moveaxis(np.asarray(rgb, np.float32), -1, 0)
        scaled = resize(shown, *self._sides(*shown.shape[1:]))
        try:
            logits: Floats = self._session.run(["logits"], {"rgb": scaled[None]})[0][0]
        except Exception as error:  # onnxruntime's errors have no common class
            raise ModelError(
                f"{self.path}: failed: {' '.join(str(error).split())[:300]}"
            ) from error
        if logits.shape != (len(self.labels),) or not np.isfinite(logits).all():
            raise ModelError(
                f"{self.path}: gave no logit for each of its {len(self.labels)} labels"
            )
        shares = np.exp(logits - logits.max())
        return (shares / shares.sum()).astype(np.float32)

    def number(self, label: str) -> int | None:
        """Which output a label is: by its name, or by the WordNet id before its colon, as in
        `n02099601` or `n02099601:golden retriever`; None for one that is not known."""
        known = {name: k for k, name in enumerate(self.labels)}
        if label in known:
            return known[label]
        by_id = {name.partition(":")[0]: k for name, k in known.items() if ":" in name}
        return by_id.get(label.partition(":")[0])

    def _sides(self, height: int, width: int) -> tuple[int, int]:
        scale = self.size / min(height, width)
        longest = LONGEST * self.size
        step = self.multiple_of
        sides = [
            max(step, round(min(side * scale, longest) / step) * step) for side in (height, width)
        ]
        return sides[0], sides[1]

    def _read(self) -> dict[str, Any]:
        takes = [(item.name, item.type) for item in self._session.get_inputs()]
        gives = {item.name for item in self._session.get_outputs()}
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA)
        if takes != [("rgb", "tensor(float)")] or "logits" not in gives or text is None:
            raise ModelError(
                f"{self.path}: no classifier: `rgb` in, `logits` out and {METADATA} in its metadata"
                " are looked for"
            )
        try:
            about = json.loads(text)
            sound = _are_names(about["labels"]) and min(about["size"], about["multiple_of"]) >= 1
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{self.path}: its {METADATA} cannot be read: {error}") from error
        if not sound:
            raise ModelError(f"{self.path}: its {METADATA} has no labels, or no size")
        return about


def _are_names(labels: Sequence[Any]) -> bool:
    return len(labels) > 1 and all(isinstance(label, str) for label in labels)
