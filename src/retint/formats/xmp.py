"""XMP packets: the mark that says what was done, put into a photograph's own packet without loss.

ISO 16684-1 (XMP); IPTC Photo Metadata 2025.1 for the fields of the mark.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
XMP_NOTE = "http://ns.adobe.com/xmp/note/"
RETINT = "urn:x-retint:xmp:1.0/"

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a photograph to which a trained model added something."""

EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'


MOST_PARTS, DEEPEST = 50_000, 100
"""Elements and attributes of a packet, and elements within each other, that are looked into: bombs
have more.
"""


class XmpError(ValueError):
    """The packet is not XML, has no rdf:RDF, declares entities, or is large as only bombs are."""


def parse(packet: bytes) -> minidom.Document:
    """Parse a packet; raises XmpError. Document types are refused: entities can be bombs."""
    try:
        if packet[:2] in (b"\xff\xfe", b"\xfe\xff"):
            packet = packet.decode("utf-16").encode()
        elif packet[:2] in (b"<\0", b"\0<"):
            packet = packet.decode("utf-16le" if packet[0] else "utf-16be").encode()
        text = packet.strip(b"\0 \t\r\n")
        if re.search(rb"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
            raise XmpError("declares entities")
        if text.count(b"<") + text.count(b"=") > MOST_PARTS:
            raise XmpError("has too many parts")
        document = minidom.parseString(text)
        if _is_deep(document):
            raise XmpError("has parts too deep within each other")
    except (ExpatError, ValueError, LookupError, AttributeError) as error:
        raise XmpError(str(error)) from error
    if not document.getElementsByTagNameNS(RDF, "RDF"):
        raise XmpError("holds no rdf:RDF")
    return document


def _is_deep(document: minidom.Document) -> bool:
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        level = [child for node in level for child in node.childNodes]
    return bool(level)


def _descriptions(document: minidom.Document) -> Iterator[minidom.Element]:
    for rdf in document.getElementsByTagNameNS(RDF, "RDF"):
        for node in rdf.childNodes:
            if isinstance(node, minidom.Element):
                yield node


def value(document: minidom.Document, namespace: str, name: str) -> str | None:
    """A top-level simple property, written as attribute or element; None where it is missing."""
    for description in _descriptions(document):
        if description.hasAttributeNS(namespace, name):
            return description.getAttributeNS(namespace, name)
        for node in description.childNodes:
            if isinstance(node, minidom.Element) and _is(node, namespace, name):
                texts = [n.data for n in node.childNodes if isinstance(n, minidom.Text)]
                return "".join(texts).strip() or node.getAttributeNS(RDF, "resource")
    return None


def _is(node: minidom.Node, namespace: str, name: str) -> bool:
    return (
        isinstance(node, minidom.Element)
        and node.namespaceURI == namespace
        and node.localName == name
    )


def remove(document: minidom.Document, namespace: str, name: str) -> None:
    """Take a top-level property out, attribute or element."""
    for description in _descriptions(document):
        if description.hasAttributeNS(namespace, name):
            description.removeAttributeNS(namespace, name)
        for node in [n for n in description.childNodes if _is(n, namespace, name)]:
            description.removeChild(node)


def merged(packet: bytes, extension: bytes) -> bytes:
    """A packet and the extended part that belonged to it (XMP part 3, 1.1.3.1) as one packet.

    Raises XmpError.
    """
    document, more = parse(packet), parse(extension)
    remove(document, XMP_NOTE, "HasExtendedXMP")
    rdf = document.getElementsByTagNameNS(RDF, "RDF")[0]
    for description in list(_descriptions(more)):
        rdf.appendChild(document.importNode(description, True))
    return serialized(document)


def marked(packet: bytes, *, system: str, version: str, software: str) -> tuple[bytes, str | None]:
    """The packet with the mark in it, and what was wrong with the packet, if anything.

    Every other property stays, in its place and spelling; embedded thumbnails (grey ones) go. A
    packet that cannot be parsed is carried whole, as base64 in `retint:SourceXMP` of a fresh one.
    """
    wrong, kept = None, dict[str, str]()
    try:
        document = parse(packet or EMPTY.encode())
    except XmpError as error:
        wrong = f"its XMP packet is damaged ({error}); it is kept as retint:SourceXMP"
        kept["SourceXMP"] = base64.b64encode(packet).decode()
        document = parse(EMPTY.encode())
    before = value(document, IPTC_EXT, "DigitalSourceType")
    if before and before != COMPOSITE:
        kept["SourceDigitalSourceType"] = before
    remove(document, XMP, "Thumbnails")
    ours = {"DigitalSourceType": COMPOSITE, "AISystemUsed": system, "AISystemVersionUsed": version}
    for name in ours:
        remove(document, IPTC_EXT, name)
    remove(document, RETINT, "Colorized")

    description = document.createElementNS(RDF, "rdf:Description")
    # createElementNS writes no declarations
    for prefix, namespace in (("rdf", RDF), ("Iptc4xmpExt", IPTC_EXT), ("retint", RETINT)):
        description.setAttribute(f"xmlns:{prefix}", namespace)
    description.setAttributeNS(RDF, "rdf:about", _about(document))
    for name, text in ours.items():
        _append(document, description, IPTC_EXT, f"Iptc4xmpExt:{name}", text)
    for name, text in {"Colorized": software, **kept}.items():
        _append(document, description, RETINT, f"retint:{name}", text)
    document.getElementsByTagNameNS(RDF, "RDF")[0].appendChild(description)
    return serialized(document), wrong


def _about(document: minidom.Document) -> str:
    # all descriptions of a packet are about the same thing
    abouts = [d.getAttributeNS(RDF, "about") for d in _descriptions(document)]
    return next((a for a in abouts if a), "")


def _append(
    document: minidom.Document, parent: minidom.Element, namespace: str, name: str, text: str
) -> None:
    node = document.createElementNS(namespace, name)
    node.appendChild(document.createTextNode(text))
    parent.appendChild(node)


def is_marked(packet: bytes) -> bool:
    """Whether retint coloured the picture that the packet belongs to."""
    if RETINT.encode() not in packet.replace(b"\0", b""):
        return False
    try:
        return value(parse(packet), RETINT, "Colorized") is not None
    except XmpError:
        return False


def split(packet: bytes) -> tuple[bytes, bytes]:
    """The packet as a short one, with the mark, and the rest for JPEG's extended XMP."""
    short, rest = parse(packet), parse(packet)
    for document, ours in ((short, True), (rest, False)):
        for description in list(_descriptions(document)):
            marks = any(_is(node, RETINT, "Colorized") for node in description.childNodes)
            if marks != ours and description.parentNode is not None:
                description.parentNode.removeChild(description)
    extension = _body(rest).encode()
    description = next(_descriptions(short))
    description.setAttribute("xmlns:xmpNote", XMP_NOTE)
    guid = extension_guid(extension)
    _append(short, description, XMP_NOTE, "xmpNote:HasExtendedXMP", guid)
    return serialized(short), extension


def extension_guid(extension: bytes) -> str:
    """The name of an extended part: its MD5 (XMP part 3, 1.1.3.1)."""
    return hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()


def serialized(document: minidom.Document) -> bytes:
    """The packet as UTF-8 bytes with its wrapper (ISO 16684-1, 7.3)."""
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    return f'{begin}\n{_body(document)}\n<?xpacket end="w"?>'.encode()


# Line ends in attributes are written as such by minidom before Python 3.13, and a reader would make
# spaces of them. Control characters cannot occur in XML, so they stand in for a moment.
_STAND_INS = {"\n": ("\x01", "&#10;"), "\t": ("\x02", "&#9;"), "\r": ("\x03", "&#13;")}


def _body(document: minidom.Document) -> str:
    root = document.documentElement
    if root is None:
        return EMPTY
    for element in (root, *root.getElementsByTagName("*")):
        for attribute in element.attributes.values():
            for sign, (stand_in, _) in _STAND_INS.items():
                attribute.value = attribute.value.replace(sign, stand_in)
    text = root.toxml()
    for stand_in, escape in _STAND_INS.values():
        text = text.replace(stand_in, escape)
    return text
