"""Free photographs taken to grey, coloured again through the public API and hung on a page."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import numpy as np
import pyvips

import retint
from retint import color
from retint.errors import InputError, OutputError
from retint.journal import Receipt


@dataclass(frozen=True)
class Exhibit:
    """A photograph inside scikit-image's wheel: its file there, what it shows, whose it is."""

    file: str
    title: str
    credit: str

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.file.partition(".")[0]


EXHIBITS = (
    Exhibit("astronaut.png", "Eileen Collins, astronaut", "NASA, public domain"),
    Exhibit("coffee.png", "A cup of coffee", "Rachel Michetti, Pikolo Espresso Bar, CC0"),
    Exhibit("chelsea.png", "Chelsea the cat", "Stéfan van der Walt, CC0"),
    Exhibit("rocket.jpg", "Falcon 9 on its launch pad", "SpaceX, public domain"),
    Exhibit("camera.png", "A photographer at work", "Lav Varshney, CC0"),
)


@dataclass(frozen=True)
class Hung:
    """An exhibit on the wall: file names in the demo's folder, size in pixels, how it was made.

    `true` is None where the photograph was grey from the beginning.
    """

    exhibit: Exhibit
    width: int
    height: int
    grey: str
    colour: str
    true: str | None
    receipt: Receipt


def hang(exhibit: Exhibit, folder: Path, *, model: str = "default", device: str = "auto") -> Hung:
    """Write an exhibit to `folder` in grey, in the model's colours and in its true ones.

    Raises InputError without scikit-image, OutputError where `folder` cannot be written, and
    what `retint.colorize` raises.
    """
    with resources.as_file(_wheel() / exhibit.file) as path:
        picture = pyvips.Image.new_from_file(str(path))
        codes = picture.numpy()
        true = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if codes.ndim == 3:
                true = f"{exhibit.name}.true{path.suffix}"
                shutil.copyfile(path, folder / true)
                codes = _to_grey(codes)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}") from error
    grey = f"{exhibit.name}.grey.png"
    colour = f"{exhibit.name}.colour.png"
    try:
        pyvips.Image.new_from_array(codes, interpretation="b-w").write_to_file(str(folder / grey))
    except pyvips.Error as error:
        raise OutputError(f"{folder / grey}: cannot be written") from error
    receipt = retint.colorize(folder / grey, folder / colour, model=model, device=device)
    return Hung(exhibit, picture.width, picture.height, grey, colour, true, receipt)


def write_page(folder: Path, wall: Sequence[Hung]) -> Path:
    """Write `index.html` beside the pictures of a wall and return its path.

    The page stands alone: it loads nothing but the pictures, works from a disk and shows the
    grey photograph under a slider that mouse, touch and keyboard move.
    Raises OutputError where `folder` cannot be written.
    """
    receipt = wall[0].receipt
    page = _template("page.html").substitute(
        figures="\n".join(_figure(hung) for hung in wall),
        model=escape(f"{receipt.model} {receipt.model_version}"),
        weights=escape(receipt.weights_sha256),
        version=escape(retint.__version__),
    )
    path = folder / "index.html"
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    return path


def _wheel() -> Traversable:
    try:
        return resources.files("skimage.data")
    except ModuleNotFoundError as error:
        raise InputError(
            "the demo's photographs are in scikit-image: pip install 'retint[demo]'"
        ) from error


def _to_grey(codes: np.ndarray) -> np.ndarray:
    """sRGB codes (h, w, 3) -> grey codes (h, w) of the same luminance, uint8."""
    luminance = color.srgb_to_linear(codes / 255.0) @ color.LUMINANCE_WEIGHTS
    return np.rint(color.linear_to_srgb(luminance) * 255).astype(np.uint8)


def _figure(hung: Hung) -> str:
    truth = "true" if hung.true else "no_truth"
    return _template("figure.html").substitute(
        name=hung.exhibit.name,
        title=escape(hung.exhibit.title),
        credit=escape(hung.exhibit.credit),
        width=hung.width,
        height=hung.height,
        grey=hung.grey,
        colour=hung.colour,
        facts=_facts(hung),
        truth=_template(f"{truth}.html").substitute(
            true=hung.true,
            title=escape(hung.exhibit.title),
            width=hung.width,
            height=hung.height,
        ),
    )


def _facts(hung: Hung) -> str:
    receipt = hung.receipt
    facts = f"{hung.width} × {hung.height} pixels, {receipt.seconds:.1f} s"
    if receipt.delta_L_mean is not None and receipt.delta_L_max is not None:
        facts += (
            f"; lightness moved by {receipt.delta_L_mean:.2f} L* on average, "
            f"{receipt.delta_L_max:.2f} at most"
        )
    return facts


def _template(name: str) -> Template:
    return Template(resources.files(__name__).joinpath(name).read_text(encoding="utf-8"))
