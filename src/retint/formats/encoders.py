"""How results are coded: like their sources, without throwing colour away."""

from collections.abc import Callable
from typing import Any

from retint.formats import chunks, containers, jpeg, tiff
from retint.formats.codecs import Coding, Format
from retint.formats.metadata import Metadata

WEBP_QUALITY, AVIF_QUALITY, JPEG_QUALITY = 90, 75, 92
"""Where the source does not tell: a WebP's or an AVIF's quality cannot be read from its file."""

CLASSIC_LIMIT = 3_500_000_000
"""Bytes of pixels from which a TIFF is written as BigTIFF."""

# TIFF compression tags and libvips' names; what is not here is written with deflate
_COMPRESSIONS = {1: "none", 5: "lzw", 7: "jpeg", 8: "deflate", 32773: "packbits"}

Edit = Callable[[bytes], bytes]


def is_lossy(format: Format, coding: Coding, page: tiff.Directory | None) -> bool:
    """Whether a result loses anything in coding, beyond rounding to its depth."""
    if format.name == "tiff":
        return _compression(page, 8) == "jpeg"
    return format.lossy and not (format.name == "webp" and coding.lossless)


def is_plain(format: Format, page: tiff.Directory | None) -> bool:
    """Whether a result is a TIFF of rows as they are, neither compressed nor in tiles."""
    return (
        format.name == "tiff"
        and page is not None
        and _compression(page, 8) == "none"
        and 322 not in page.fields
    )


def encoder(
    format: Format, coding: Coding, meta: Metadata, profile: bytes, *, size: tuple[int, int],
    bits: int, quality: int | None, page: tiff.Directory | None = None, pyramid: bool = False,
    big: bool = False,
) -> tuple[Callable[[Any, Any], None], Edit | None, int | None]:  # fmt: skip
    """How to save a page: a call of (image, target), and what `Sink` edits on the way.

    size: width, height. quality: 1..100, or None for the source's. TIFF's metadata is put in
    afterwards (`tiff.rewrite`).
    """
    width, height = size
    options: dict[str, Any] = {"keep": "none"}
    if format.name == "jpeg":
        # 4:4:4, since colour at half the size would move luminance at edges
        # and each row of blocks begins anew: damage stays in it, and it can be decoded alone
        options |= {
            "Q": quality or coding.quality or JPEG_QUALITY, "subsample_mode": "off",
            "restart_interval": -(-width // jpeg.BAND),
        }  # fmt: skip
        return _saver("jpegsave_target", options), containers.jpeg_edit(meta, profile), 2
    if format.name == "png":
        options |= {"interlace": coding.interlaced, "filter": "sub"}
        return _saver("pngsave_target", options), chunks.png_edit(meta, profile), 54
    if format.name == "webp":
        lossless = coding.lossless and quality is None
        options |= {"Q": quality or WEBP_QUALITY, "lossless": lossless, "smart_subsample": True}
        return (
            _saver("webpsave_target", options),
            chunks.webp_edit(meta, profile, width, height),
            None,
        )
    if format.name == "avif":
        fields = containers.avif_fields(meta, profile)
        options = {
            "keep": "exif|xmp|icc", "Q": quality or AVIF_QUALITY, "subsample_mode": "off",
            "compression": "av1", "bitdepth": bits, "effort": 3,
        }  # fmt: skip
        save = _saver("heifsave_target", options)
        return lambda image, target: save(containers.attach(image, fields), target), None, 0
    options |= _tiff_options(page, bits, quality, pyramid=pyramid, big=big)
    return _saver("tiffsave_target", options), None, 0


def _saver(operation: str, options: dict[str, Any]) -> Callable[[Any, Any], None]:
    def save(image: Any, target: Any) -> None:
        getattr(image, operation)(target, **options)

    return save


def _compression(page: tiff.Directory | None, bits: int) -> str:
    found = "deflate" if page is None else _COMPRESSIONS.get(page.number(259, 1), "deflate")
    return "deflate" if found == "jpeg" and bits != 8 else found


def _tiff_options(
    page: tiff.Directory | None, bits: int, quality: int | None, *, pyramid: bool, big: bool
) -> dict[str, Any]:
    compression = _compression(page, bits)
    options: dict[str, Any] = {"compression": compression, "bigtiff": big}
    if compression in ("deflate", "lzw"):
        # without a predictor continuous tone hardly shrinks
        options["predictor"] = "horizontal"
    if compression == "jpeg":
        tables = page.fields.get(347) if page is not None else None
        found = containers.quality_of_tables(tables.data) if tables is not None else None
        # libvips halves colour below 90
        options["Q"] = max(quality or found or 90, 90)
    if page is not None and 322 in page.fields:
        width, height = page.number(322), page.number(323)
        if (
            width % 16 == height % 16 == 0
            and 16 <= min(width, height) <= max(width, height) <= 4096
        ):
            options |= {"tile": True, "tile_width": width, "tile_height": height}
        else:
            options |= {"tile": True, "tile_width": 256, "tile_height": 256}
        options |= {
            "pyramid": pyramid,
            "subifd": pyramid and bool(page.children.get(tiff.SUB_IFDS)),
        }
    return options
