"""From a picture as decoded to sRGB codes: embedded profiles, CMYK, palettes, alpha.

A picture without a profile is sRGB, a grey one with sRGB's transfer curve; CMYK without one is read
by libvips' generic press profile.
"""

import itertools
import struct
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from retint import color
from retint.errors import InputError
from retint.formats.stream import reason

INTENT = "relative"

_SPACES = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}


def srgb_profile() -> bytes:
    """libvips' sRGB profile, to be attached to results."""
    vips: Any = pyvips.Image
    return bytes(vips.profile_load("srgb"))


def layout(image: Any, name: str) -> tuple[int, bool]:
    """Number of colour bands (1, 3, or 4 of CMYK) of a decoded image, and whether alpha follows.

    Raises InputError for what cannot be kept without loss; `name` is the file's.
    """
    kind, space = str(image.format), str(image.interpretation)
    if kind not in ("uchar", "ushort"):
        raise InputError(f"{name}: has {kind} samples; only 8 and 16 bits are kept without loss")
    if space in ("lab", "labs", "labq"):
        raise InputError(f"{name}: is in Lab; convert it to RGB or grey first")
    colours = 4 if space == "cmyk" else 3 if image.bands >= 3 else 1
    if space == "multiband" or image.bands not in (colours, colours + 1):
        raise InputError(f"{name}: has {image.bands} channels; grey, RGB, CMYK and alpha are read")
    return colours, image.bands > colours


def to_srgb(image: Any, name: str, *, premultiplied: bool = False) -> tuple[Any, tuple[str, ...]]:
    """The image as 1 or 3 bands of sRGB codes, uchar or ushort, then alpha if any; and notes.

    sRGB and unprofiled pictures keep their codes. Where a profile is applied the codes have 16
    bits, so that an 8-bit result is rounded once. Raises what `layout` does.
    """
    colours, _ = layout(image, name)
    kind = str(image.format)
    deep = kind == "ushort"
    alpha = image[colours] if image.bands > colours else None
    if premultiplied and alpha is not None:
        image = image.unpremultiply(max_alpha=65535 if deep else 255).rint().cast(kind)
    image = image[:colours] if alpha is not None else image
    notes: tuple[str, ...] = ()

    profile = bytes(image.get("icc-profile-data")) if has(image, "icc-profile-data") else b""
    if colours == 4:
        image, notes = _from_cmyk(image, profile, name)
    elif profile:
        try:
            image, notes = _applied(image, profile, colours, deep)
        except pyvips.Error as error:
            notes = (f"its colour profile is damaged and was not used ({reason(error)})",)
    if alpha is not None:
        if str(image.format) == "ushort" and not deep:
            alpha = alpha.cast("ushort") * 257
        image = image.bandjoin(alpha.cast(image.format))
    return image, notes


def has(image: Any, field: str) -> bool:
    """Whether a libvips image carries a field."""
    return image.get_typeof(field) != 0


def _applied(image: Any, profile: bytes, colours: int, deep: bool) -> tuple[Any, tuple[str, ...]]:
    bands = _SPACES.get(profile[16:20], 0)
    if bands == colours == 1:
        codes = _grey_codes(profile)
        if np.abs(codes.astype(np.int64) - np.arange(65536)).max() <= 257:
            return image, ()
        return _looked_up(image, codes, deep), ()
    if bands == 3:
        if _is_srgb(profile):
            return image, ()
        if colours == 1:  # grey stored under an RGB profile: its R = G = B
            return _looked_up(image, _ramp(profile, "srgb"), deep), ()
        return _transformed(image, profile), ()
    return image, ("its colour profile is for another kind of picture and was not used",)


def _transformed(image: Any, profile: bytes) -> Any:
    image = image.copy(interpretation="rgb16" if str(image.format) == "ushort" else "srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image.icc_transform("srgb", embedded=True, intent=INTENT, depth=16)


def _grey_codes(profile: bytes) -> Any:
    """sRGB codes (65536,) of all 16-bit greys under a grey profile."""
    levels = np.linspace(0, 1, 65536)
    linear = grey_curve(profile, levels) if profile[20:24] == b"XYZ " else None
    if linear is None:
        return _ramp(profile, "b-w")
    return np.rint(color.linear_to_srgb(np.clip(linear, 0, 1)) * 65535).astype(np.uint16)


def grey_curve(profile: bytes, levels: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Linear light of grey levels 0..1 by a profile's kTRC (ICC.1:2022, 10.6, 10.18); else None.

    Done here since Little CMS samples a grey profile so coarsely that the darks move by L* 4.
    """
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for i in range(min(count, 100)):
            name, at, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
            if name == b"kTRC":
                return _curve(profile[at : at + size], levels)
    except struct.error:
        return None
    return None


def _curve(data: bytes, x: NDArray[np.float64]) -> NDArray[np.float64] | None:
    if data[:4] == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        values = np.frombuffer(data, ">u2", min(count, (len(data) - 12) // 2), 12)
        if count == 0:
            return x
        if count == 1:
            return x ** (values[0] / 256)
        return np.interp(x, np.linspace(0, 1, len(values)), values / 65535)
    if data[:4] != b"para":
        return None
    (kind,) = struct.unpack_from(">H", data, 8)
    if kind > 4:
        return None
    values = np.array(struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", data, 12)) / 65536
    g, a, b, c, d, e, f = (*values, *(1, 1, 0, 0, 0, 0, 0)[len(values) :])
    if kind in (1, 2):  # c is added, and the curve begins where a x + b does
        d, e, f, c = -b / a if a else 0.0, (c if kind == 2 else 0.0), (c if kind == 2 else 0.0), 0.0
    with np.errstate(invalid="ignore"):
        return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def _ramp(profile: bytes, space: str) -> Any:
    """sRGB codes (65536,) of all 16-bit greys under a profile."""
    vips: Any = pyvips.Image
    ramp = vips.identity(ushort=True)
    if space == "b-w":
        ramp = ramp.copy(interpretation="grey16")
    else:
        ramp = ramp.bandjoin([ramp, ramp]).copy(interpretation="rgb16")
    ramp.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    out = ramp.icc_transform("srgb", embedded=True, intent=INTENT, depth=16)
    return out[1].numpy().reshape(-1)


def _looked_up(image: Any, codes: Any, deep: bool) -> Any:
    vips: Any = pyvips.Image
    table = codes if deep else codes[np.arange(256) * 257]
    table = np.ascontiguousarray(table)
    lut = vips.new_from_memory(table, len(table), 1, 1, "ushort")
    return image.maplut(lut).copy(interpretation="grey16")


def _is_srgb(profile: bytes) -> bool:
    vips: Any = pyvips.Image
    levels = np.array(list(itertools.product(range(0, 256, 51), repeat=3)), np.uint8)
    cube = vips.new_from_memory(levels, len(levels), 1, 3, "uchar").copy(interpretation="srgb")
    cube.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    seen = cube.icc_transform("srgb", embedded=True, intent=INTENT, depth=8).numpy()
    return bool(np.abs(seen.reshape(-1, 3).astype(int) - levels.astype(int)).max() <= 1)


def _from_cmyk(image: Any, profile: bytes, name: str) -> tuple[Any, tuple[str, ...]]:
    # without black-point compensation the black of a press is a dark grey on a screen
    options: dict[str, Any] = {
        "intent": INTENT, "black_point_compensation": True, "depth": 16,
    }  # fmt: skip
    notes: tuple[str, ...] = ()
    try:
        if profile[16:20] == b"CMYK":
            return image.icc_transform("srgb", embedded=True, **options), notes
        if profile:
            notes = ("its colour profile is for another kind of picture and was not used",)
        return image.icc_transform("srgb", input_profile="cmyk", **options), notes
    except pyvips.Error as error:
        raise InputError(f"{name}: its CMYK cannot be converted ({reason(error)})") from error
