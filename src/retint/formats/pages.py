"""Which pictures a file holds: one, or the pages of a TIFF."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from retint.errors import InputError
from retint.formats import profiles, tiff
from retint.formats.codecs import Bytes, decode

Kind = Literal["grey", "rgb", "palette", "cmyk"]

# values of TIFF pages that are not read with the tags: places of pixels, and Photoshop's layers
_NOT_LOADED = (273, 279, 324, 325, 37724)
_RAW = (32803, 34892)  # photometric interpretations of camera raw files


@dataclass(frozen=True)
class Page:
    """One picture of a file, in pixels as stored."""

    width: int
    height: int
    bits: int
    channels: Kind
    has_alpha: bool
    index: int = 0
    """Its directory in a TIFF, as libvips counts."""
    tags: tiff.Directory | None = None
    pyramid: bool = False
    """Whether smaller copies of it follow in the file."""


def pages_of(data: Bytes, name: str, max_pixels: int) -> list[Page]:
    """The pictures of a file of the format `name`; thumbnails and pyramid levels do not count.

    max_pixels: of what has to be decoded at once to know its size. Raises InputError.
    """
    return _tiff_pages(data) if name == "tiff" else [_page(data, name, max_pixels)]


def _page(data: Bytes, name: str, max_pixels: int) -> Page:
    image = decode(data, name, max_pixels=max_pixels).image
    colours, alpha = profiles.layout(image, data.name)
    bits = 16 if str(image.format) == "ushort" else 8
    if name == "avif" and profiles.has(image, "bits-per-sample"):
        bits = max(8, int(image.get("bits-per-sample")))
    palette = name == "gif" or (name == "png" and profiles.has(image, "palette"))
    kinds: dict[int, Kind] = {1: "grey", 3: "rgb", 4: "cmyk"}
    kind = "palette" if palette else kinds[colours]
    return Page(image.width, image.height, bits, kind, alpha)


def _tiff_pages(data: Bytes) -> list[Page]:
    try:
        with data.open() as file:
            chain = tiff.read(file, skip=_NOT_LOADED)
    except (tiff.TiffError, OSError) as error:
        raise InputError(f"{data.name}: its TIFF tags are damaged ({error})") from error
    if any(50706 in page.fields or page.number(262) in _RAW for page in chain.pages):
        raise InputError(f"{data.name}: is a camera's raw file: develop it to TIFF first")
    # NewSubfileType: bit 0 a reduced copy, bit 2 a transparency mask (TIFF 6.0, p. 36)
    whole = [(i, p) for i, p in enumerate(chain.pages) if not p.number(254) & 0b101]
    whole = whole or [(0, chain.pages[0])]
    levels = _unmarked_levels([p for _, p in whole])
    if levels:
        whole = whole[:1]
    pages = list[Page]()
    for i, page in whole:
        following = chain.pages[i + 1] if i + 1 < len(chain.pages) else None
        tiled = 322 in page.fields
        reduced = following is not None and following.number(254) & 1 == 1
        pyramid = tiled and (levels or reduced or bool(page.children.get(tiff.SUB_IFDS)))
        pages.append(_tiff_page(data.name, page, i, pyramid))
    return pages


def _unmarked_levels(pages: list[tiff.Directory]) -> bool:
    """Whether tiled pages halve each other, as the levels of a pyramid that does not say so."""
    sizes = [(p.number(256), p.number(257)) for p in pages]
    halving = all(
        abs(2 * small - large) <= 1
        for before, after in pairwise(sizes)
        for large, small in zip(before, after, strict=True)
    )
    return len(pages) > 2 and halving and all(322 in p.fields for p in pages)


def _tiff_page(name: str, page: tiff.Directory, index: int, pyramid: bool) -> Page:
    width, height = page.number(256), page.number(257)
    if not (width and height):
        raise InputError(f"{name}: its TIFF tags are damaged (a page without a size)")
    depth = page.number(258, 1)
    samples = page.number(277, 1)
    if depth not in (1, 2, 4, 8, 16) or page.number(339, 1) not in (1, 4):
        kind = {2: "signed ", 3: "floating "}.get(page.number(339, 1), "")
        raise InputError(
            f"{name}: has {kind}samples of {depth} bits; only up to 8 and 16 are kept without loss"
        )
    photometric = page.number(262, 1)
    kinds: dict[int, Kind] = {2: "rgb", 3: "palette", 5: "cmyk", 6: "rgb"}
    channels = kinds.get(photometric, "grey")
    colours = {"grey": 1, "palette": 1, "rgb": 3, "cmyk": 4}[channels]
    return Page(
        width, height, 16 if depth == 16 else 8, channels, samples > colours, index, page, pyramid
    )
