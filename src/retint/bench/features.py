"""Judges that see with somebody else's network, from a file on this disk: Frechet distance, LPIPS.

Nothing is downloaded, and no framework is needed: the networks are .onnx files, known by their
sha256. `docs/judges.md` says how to make them from published weights.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retint import hub, metrics
from retint.bench.contestants import Colouring
from retint.bench.measures import Record
from retint.bench.sets import Truth
from retint.color import Floats
from retint.errors import ModelError
from retint.predict import available_threads, open_session, resize

INCEPTION = "6726825d"
"""First digits of the sha256 of the weights that FID is defined by, in PyTorch's form."""

SOURCE = "retint.weights_sha256"
"""Key, in the metadata of an .onnx, of the sha256 of the weights that it was made from."""


class Network:
    """An .onnx that takes `pictures` of them, each (1, 3, h, w), 0..1, and gives one array.

    It is opened again where it is unpickled. Raises ModelError for a file of another face.
    """

    def __init__(self, path: Path, pictures: int) -> None:
        self.path = path
        try:
            self.sha256 = hub.sha256(path)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from error
        self._session: Any = open_session(path, "cpu", available_threads())[1]
        self.source: str = self._session.get_modelmeta().custom_metadata_map.get(SOURCE, "")
        takes = self._session.get_inputs()
        shapes = [item.shape for item in takes]
        sound = all(item.type == "tensor(float)" and len(item.shape) == 4 for item in takes)
        if len(takes) != pictures or not sound or any(shape[1] != 3 for shape in shapes):
            raise ModelError(
                f"{path}: takes {shapes}, not {'a picture' if pictures == 1 else 'two pictures'} "
                "(n, 3, h, w)"
            )
        self.names = [item.name for item in takes]
        height, width = shapes[0][2:]
        self.fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def __call__(self, *pictures: Floats) -> NDArray[np.float32]:
        """What it makes of pictures (h, w, 3), encoded sRGB: flattened, finite numbers."""
        if self._session is None:  # in another process: one thread, processes share the rest
            self._session = open_session(self.path, "cpu", 1)[1]
        shown = [np.moveaxis(np.asarray(rgb, np.float32), -1, 0) for rgb in pictures]
        if self.fixed:
            shown = [resize(rgb, *self.fixed) for rgb in shown]
        given = {name: rgb[None] for name, rgb in zip(self.names, shown, strict=True)}
        try:
            found = np.asarray(self._session.run(None, given)[0], np.float32).ravel()
        except Exception as error:  # onnxruntime's errors have no common class
            line = " ".join(str(error).split())[:300]
            raise ModelError(f"{self.path}: failed: {line}") from error
        if not np.isfinite(found).all():
            raise ModelError(f"{self.path}: gave something that is no number")
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Pickled without its session."""
        return {**vars(self), "_session": None}


class Frechet:
    """The judge of whole sets: Frechet distance between features of colourings and of truths.

    path: a network from one picture to its features. It is called FID where the features are those
    that FID is defined by: where the file says that it was made from these weights, or `fid` is
    somebody's word for it. Fewer pictures than features make any such distance too large: compare
    only within one set. Raises ModelError for a file of another face.
    """

    def __init__(self, path: Path, *, fid: bool = False) -> None:
        self.network = Network(path, pictures=1)
        fid = fid or self.network.source.startswith(INCEPTION)
        self.name = "fid" if fid else "frechet"
        self.key = f"frechet 1 {self.network.sha256}"
        what = "FID" if fid else "Frechet distance, no FID,"
        self.note = (
            f"{what} on the features of {path.name} (sha256 {self.network.sha256[:16]}); it depends"
            " on the number of pictures: comparable within this report alone."
        )
        self._last: tuple[str, str] | None = None

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        """Features of the colouring and of the true picture, packed."""
        if self._last is None or self._last[0] != truth.file:
            self._last = truth.file, self._packed(truth.rgb)
        return {"features": self._packed(colouring.rgb), "true": self._last[1]}

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        """The distance, and the numbers of pictures and features; None for fewer than two."""
        counted: dict[str, Any] = {"pictures": len(found), self.name: None}
        if len(found) < 2:
            return counted
        features, true = (
            np.stack([unpacked(record[key]) for record in found]) for key in ("features", "true")
        )
        distance = metrics.FrechetDistance().update(features, true).compute()
        return {**counted, "features": features.shape[1], self.name: distance}

    def __getstate__(self) -> dict[str, Any]:
        """Pickled without what it remembers."""
        return {**vars(self), "_last": None}

    def _packed(self, rgb: Floats) -> str:
        features = self.network(rgb)
        if np.abs(features).max() > np.finfo(np.float16).max:
            raise ModelError(f"{self.network.path}: gave features beyond half precision")
        return packed(features)


class Lpips:
    """The judge of single pictures by a perceptual distance (Zhang et al. 2018, arXiv:1801.03924).

    path: a network from two pictures, the colouring and the truth, to one number; it is LPIPS where
    the file is. Raises ModelError for a file of another face.
    """

    name = "lpips"

    def __init__(self, path: Path) -> None:
        self.network = Network(path, pictures=2)
        self.key = f"lpips 1 {self.network.sha256}"
        self.note = f"LPIPS as {path.name} (sha256 {self.network.sha256[:16]}) has it."

    def measure(self, truth: Truth, colouring: Colouring) -> Record:
        """The distance: 0 for equal pictures."""
        found = self.network(colouring.rgb, truth.rgb)
        if found.size != 1:
            raise ModelError(f"{self.network.path}: gave {found.size} numbers, not one distance")
        return {"lpips": round(float(found[0]), 5)}

    def compute(self, found: Sequence[Record]) -> dict[str, Any]:
        """Nothing beyond the pictures' own figures."""
        return {}


def packed(features: NDArray[np.float32]) -> str:
    """Numbers as text for a journal: half precision, base64."""
    return base64.b64encode(features.astype("<f2").tobytes()).decode("ascii")


def unpacked(text: str) -> NDArray[np.float32]:
    """The numbers back."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
