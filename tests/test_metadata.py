"""EXIF, XMP, IPTC and TIFF tags: carried without loss, marked, without grey thumbnails."""

import io
import struct
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from retint.errors import RetintError
from retint.formats import chunks, containers, tiff, xmp
from retint.formats.metadata import (
    Density,
    Mark,
    Metadata,
    for_result,
    image_resources,
    iptc_resource,
    without_thumbnail,
)
from retint.formats.profiles import srgb_profile
from retint.formats.tiff import Directory, Field

PACKET = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="uuid:7" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
  xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
  ext:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm"
  photoshop:History="one&#xA;two&#x9;three">
<dc:title><rdf:Alt>
<rdf:li xml:lang="x-default">A &lt;title&gt; &amp; more</rdf:li></rdf:Alt></dc:title>
<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails>
<!-- a comment --></rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def marked(packet: bytes) -> tuple[bytes, str | None]:
    return xmp.marked(packet, system="retint default", version="3", software="retint 0.1")


# XMP


def test_the_mark_joins_a_packet_and_the_rest_stays() -> None:
    packet, wrong = marked(PACKET)
    assert wrong is None
    found = xmp.parse(packet)
    assert xmp.value(found, xmp.IPTC_EXT, "DigitalSourceType") == xmp.COMPOSITE
    assert xmp.value(found, xmp.IPTC_EXT, "AISystemUsed") == "retint default"
    assert xmp.value(found, xmp.IPTC_EXT, "AISystemVersionUsed") == "3"
    before = xmp.value(found, xmp.RETINT, "SourceDigitalSourceType")
    assert before == "http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm"
    history = xmp.value(found, "http://ns.adobe.com/photoshop/1.0/", "History")
    assert history == "one\ntwo\tthree"
    assert b"A &lt;title&gt; &amp; more" in packet
    assert b"<!-- a comment -->" in packet
    assert b"Thumbnails" not in packet
    assert packet.count(b'rdf:about="uuid:7"') == 2
    assert xmp.is_marked(packet)
    assert not xmp.is_marked(PACKET)


def test_marking_twice_is_marking_once() -> None:
    once = marked(PACKET)[0]
    twice = marked(once)[0]
    for name in ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed"):
        assert twice.count(f"<Iptc4xmpExt:{name}>".encode()) == 1
    assert twice.count(b"<retint:Colorized>") == 1
    assert twice.count(b"<retint:SourceDigitalSourceType>") == 1


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta",
        b"not xml",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a/>",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        b"\xff\xfe\x00garbage",
    ],
)
def test_a_damaged_packet_is_kept_whole_and_told(packet: bytes) -> None:
    import base64

    result, wrong = marked(packet)
    assert wrong is not None
    kept = xmp.value(xmp.parse(result), xmp.RETINT, "SourceXMP")
    assert kept is not None
    assert base64.b64decode(kept) == packet
    assert xmp.is_marked(result)


def test_a_packet_in_utf_16_is_read() -> None:
    text = PACKET.decode("utf-8-sig").split("?>", 1)[1].rsplit("<?", 1)[0].strip()
    result, wrong = marked(text.encode("utf-16"))
    assert wrong is None
    assert b"A &lt;title&gt; &amp; more" in result


@given(st.binary(max_size=300))
def test_no_packet_breaks_the_mark(data: bytes) -> None:
    result, _ = marked(data)
    assert xmp.is_marked(result)
    assert not xmp.is_marked(data)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=50))
def test_split_and_merge_are_inverse(text: str) -> None:
    document = xmp.parse(PACKET)
    document.getElementsByTagName("dc:title")[0].setAttribute("dc:words", text)
    packet, _ = marked(xmp.serialized(document))
    short, extension = xmp.split(packet)
    assert len(short) < 2000
    again = xmp.parse(xmp.merged(short, extension))
    assert again.getElementsByTagName("dc:title")[0].getAttribute("dc:words") == text
    assert xmp.value(again, xmp.IPTC_EXT, "AISystemUsed") == "retint default"


# TIFF tags

fields = st.dictionaries(
    st.integers(40000, 60000).filter(lambda tag: tag not in tiff.POINTERS),
    st.one_of(
        st.binary(min_size=1, max_size=40).map(lambda b: Field(7, len(b), b)),
        st.lists(st.integers(0, 65535), min_size=1, max_size=9).map(lambda v: Field.of(3, *v)),
        st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5).map(lambda v: Field.of(4, *v)),
        st.binary(min_size=16, max_size=16).map(lambda b: Field(5, 2, b)),
    ),
    max_size=8,
)  # fmt: skip


@settings(deadline=None)
@given(
    main=fields, exif=fields, gps=fields, order=st.sampled_from("<>"), big=st.booleans(),
    count=st.integers(1, 4),
)  # fmt: skip
def test_tags_written_are_the_tags_read(
    main: dict[int, Field], exif: dict[int, Field], gps: dict[int, Field], order: str, big: bool,
    count: int,
) -> None:  # fmt: skip
    page = Directory(main, {tiff.EXIF: [Directory(exif)], tiff.GPS: [Directory(gps)]})
    file = io.BytesIO(tiff.header(order, big))
    at = file.seek(0, 2)
    for i in range(count):
        data = tiff.encode(page, at, followed=i + 1 < count, order=order, big=big)
        file.write(data)
        at += len(data)
    chain = tiff.read(file)
    assert (chain.order, chain.big, len(chain.pages)) == (order, big, count)
    for found in chain.pages:
        assert {t: f for t, f in found.fields.items() if t not in tiff.POINTERS} == main
        assert found.children[tiff.EXIF][0].fields == exif
        assert found.children[tiff.GPS][0].fields == gps


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0"]))
def test_damaged_tags_raise_only_tiff_errors(data: bytes, head: bytes) -> None:
    for call in (lambda d: tiff.read(io.BytesIO(d)), without_thumbnail):
        try:
            call(head + data)
        except tiff.TiffError:
            continue
    assert 1 <= Metadata(exif=head + data).orientation <= 8
    try:
        for_result(Metadata(exif=head + data), Mark())
    except RetintError:
        pytest.fail("damaged EXIF is carried, not refused")


def test_tags_of_big_endian_sources_arrive_in_results() -> None:
    page = Directory(
        {271: Field(2, 6, b"Goerz\0"), 274: Field.of(3, 6)},
        {
            tiff.EXIF: [
                Directory({34855: Field.of(3, 400), 36867: Field(2, 20, b"1912" + bytes(16))})
            ]
        },
    )
    block = tiff.header(">") + tiff.encode(page, 8, order=">")
    meta = Metadata(exif=block)
    assert meta.orientation == 6
    tags = meta.directory()
    assert tags is not None
    assert tags.fields == page.fields
    assert tags.children[tiff.EXIF][0].fields == page.children[tiff.EXIF][0].fields
    assert meta.exif_block() == block


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_is_cut_out_and_nothing_else_moves(order: str) -> None:
    exif = Directory(
        {0xA001: Field.of(3, 65535), 0x927C: Field(7, 30, b"maker's note" + bytes(18))}
    )
    first = Directory({271: Field(2, 6, b"Goerz\0")}, {tiff.EXIF: [exif]})
    head = tiff.header(order) + tiff.encode(first, 8, followed=True, order=order)
    thumbnail = bytes(range(200))
    second = Directory({513: Field.of(4, 0), 514: Field.of(4, 200)})
    size = len(tiff.encode(second, len(head), order=order))
    second.fields[513] = Field.of(4, len(head) + size)
    block = head + tiff.encode(second, len(head), order=order) + thumbnail
    cut = without_thumbnail(block)
    assert thumbnail[1:100] not in cut
    assert len(cut) <= len(head)
    chain = tiff.read(io.BytesIO(cut))
    assert len(chain.pages) == 1
    found = chain.pages[0].children[tiff.EXIF][0]
    assert found.number(0xA001) == 1
    assert cut.find(b"maker's note") == block.find(b"maker's note")


# IPTC and Photoshop's resources


def test_thumbnails_in_photoshops_resources_go() -> None:
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 5) + b"thumb\0"
    path = b"8BIM\x07\xd0\4name\0" + struct.pack(">I", 4) + b"path"
    iptc = iptc_resource(b"\x1c\x02\x78\0\x03abc")
    numbers = [number for number, _, _ in image_resources(thumbnail + path + iptc)]
    assert numbers == [0x040C, 0x07D0, 0x0404]
    meta = for_result(Metadata(photoshop=thumbnail + path), Mark("m", "1"))
    assert meta.photoshop == path
    assert image_resources(thumbnail + path[:-2]) == image_resources(thumbnail)


@given(st.binary(max_size=100))
def test_damaged_resources_are_left_out(data: bytes) -> None:
    assert isinstance(image_resources(b"8BIM" + data), list)


def test_iptc_declared_as_long_is_read_in_its_order() -> None:
    records = b"\x1c\x02\x78\0\x03abc"
    turned = b"".join(records[i : i + 4][::-1] for i in range(0, 8, 4))
    for data in (records, turned):
        page = Directory({33723: Field(4, 2, data)})
        assert containers.read_tiff(page).iptc == records


# Containers


@settings(deadline=None, max_examples=40)
@given(
    x=st.integers(1, 2400),
    y=st.integers(1, 2400),
    unit=st.sampled_from(["inch", "cm"]),
    comment=st.binary(min_size=1, max_size=30),
    iptc=st.binary(min_size=1, max_size=99),
)
def test_what_is_put_into_a_file_is_read_from_it(
    x: int, y: int, unit: str, comment: bytes, iptc: bytes
) -> None:
    image: Any = pyvips.Image.new_from_array(np.zeros((8, 8, 3), np.uint8))
    image = image.copy(interpretation="srgb")
    meta = Metadata(
        exif=tiff.block(Directory({271: Field(2, 6, b"Goerz\0")})),
        xmp=marked(PACKET)[0],
        iptc=b"\x1c" + iptc,
        density=Density(x, y, "inch" if unit == "inch" else "cm"),
        comments=(comment,),
        chunks=((b"tEXt", b"Title\0" + comment.replace(b"\0", b" ")),),
    )
    profile = srgb_profile()
    jpeg = containers.jpeg_edit(meta, profile)(image.jpegsave_buffer(keep="none"))
    png = chunks.png_edit(meta, profile)(image.pngsave_buffer(keep="none"))
    webp = chunks.webp_edit(meta, profile, 8, 8)(image.webpsave_buffer(keep="none"))
    for data, read in (
        (jpeg, containers.read_jpeg), (png, chunks.read_png), (webp, chunks.read_webp),
    ):  # fmt: skip
        found, _ = read(io.BytesIO(data))
        assert (found.exif, found.xmp) == (meta.exif, meta.xmp)
        loaded: Any = pyvips.Image.new_from_buffer(data, "")
        assert bytes(loaded.get("icc-profile-data")) == profile
        assert (loaded.width, loaded.height) == (8, 8)
        if data is not webp:
            assert found.iptc == meta.iptc
            assert found.density is not None
            assert meta.density is not None
            wanted, got = meta.density.per_inch(), found.density.per_inch()
            assert wanted is not None
            assert got == pytest.approx(wanted, abs=0.02)
    assert containers.read_jpeg(io.BytesIO(jpeg))[0].comments == (comment,)
    assert chunks.read_png(io.BytesIO(png))[0].chunks == meta.chunks


def test_exif_too_large_for_a_jpeg_loses_its_largest_values_and_says_so() -> None:
    tags = Directory({271: Field(2, 6, b"Goerz\0"), 50000: Field(7, 70_000, bytes(70_000))})
    meta = Metadata(tags=tags)
    assert len(containers.small_exif(meta, 65527)) < 200
    assert b"Goerz" in containers.small_exif(meta, 65527)
    assert containers.lost(meta, "jpeg") == ("JPEG has no place for its EXIF beyond 64 kB",)
    assert containers.lost(meta, "tiff") == ()
