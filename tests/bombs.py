"""Small files that become large, or take long, when they are read."""

import io
import struct
import zlib
from collections.abc import Iterable

from mutations import XMP

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))  # fmt: skip


def zeros(size: int) -> bytes:
    """A zlib stream of so many zeros, made without compressing more than a megabyte of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    rest = packer.compress(bytes(size % (1 << 20))) + packer.flush()
    return b"\x78\x9c" + megabyte * (size >> 20) + rest + struct.pack(">HH", size % 65521, 1)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def black_png(
    width: int, height: int, *, interlaced: bool = False, chunks: Iterable[tuple[bytes, bytes]] = ()
) -> bytes:
    """A black grey picture of 8 bits; an interlaced one has to be held in memory, whole."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    size = 0
    for x, y, across, down in passes:
        size += (1 + -(-(width - x) // across)) * -(-(height - y) // down)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced)
    between = b"".join(png_chunk(kind, body) for kind, body in chunks)
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + between
        + png_chunk(b"IDAT", zeros(size)) + png_chunk(b"IEND", b"")
    )  # fmt: skip


def tagged_tiff(fields: int, size: int) -> bytes:
    """A TIFF whose fields are all said to hold the same large value."""
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in (
        (256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, 64),
    )]  # fmt: skip
    entries += [struct.pack("<HHII", 40000 + n, 1, size, 8) for n in range(fields)]
    at = 8 + size
    body = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", at) + bytes(size) + body


def paged_tiff(pages: int, side: int) -> bytes:
    """A TIFF of many pages that all are the same pixels."""
    file = io.BytesIO()
    file.write(b"II*\0" + struct.pack("<I", 8 + side * side) + bytes(side * side))
    for page in range(pages):
        at = file.tell()
        fields = ((256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1),
                  (278, side), (279, side * side))  # fmt: skip
        file.write(struct.pack("<H", len(fields)))
        file.write(b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields))
        file.write(struct.pack("<I", 0 if page == pages - 1 else at + 6 + 12 * len(fields)))
    return file.getvalue()


def xmp_png(packet: bytes, *, packed: bool = False) -> bytes:
    """A small picture with an XMP packet."""
    text = zlib.compress(packet, 9) if packed else packet
    return black_png(32, 32, chunks=[(b"iTXt", b"XML:com.adobe.xmp\0%c\0\0\0" % packed + text)])


def nested_xmp(depth: int) -> bytes:
    return XMP.replace(b"<rdf:Description", b"<a>" * depth + b"</a>" * depth + b"<rdf:Description")


def wide_xmp(parts: int) -> bytes:
    return XMP.replace(b"</rdf:RDF>", b"<b/>" * parts + b"</rdf:RDF>")


def laughing_xmp() -> bytes:
    """A thousand million laughs."""
    entities = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
    return b"<!DOCTYPE x [<!ENTITY e0 'ha'>" + entities + b"]>" + XMP.replace(b"&lt;", b"&e9;", 1)
