"""Format x {EXIF, XMP, IPTC, ICC, DPI, depth}, written by exiftool, read back by exiftool."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from retint.chroma import Chroma
from retint.formats.xmp import COMPOSITE
from retint.photo import Photo

pytestmark = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not there")

EXIF = {
    "ExifIFD:ISO": "400",
    "ExifIFD:DateTimeOriginal": "1912:04:03 10:11:12",
    "ExifIFD:UserComment": "glass negative, box 7",
    "ExifIFD:ColorSpace": "65535",
    "IFD0:Artist": "Nadar",
    "IFD0:Copyright": "no known rights",
    "IFD0:Make": "Goerz",
    "IFD0:Model": "Anschütz",
    "IFD0:Orientation": "6",
    "GPS:GPSLatitude": "48.5",
    "GPS:GPSLatitudeRef": "N",
}
XMP = {
    "XMP-dc:Title": "Rue, <1912> & co",
    "XMP-dc:Subject": "street",
    "XMP-photoshop:Instructions": "line one\nline two",
    "XMP-xmpRights:UsageTerms": "free",
    "XMP-iptcExt:DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/print",
    "XMP-iptcExt:PersonInImage": "a passer-by",
}
IPTC = {
    "IPTC:Caption-Abstract": "A street in Paris",
    "IPTC:By-line": "Nadar",
    "IPTC:Keywords": "street",
}

# format, suffix, bits, has it a place for IPTC
MATRIX = [
    ("jpeg", ".jpg", 8, True),
    ("png", ".png", 8, True),
    ("png", ".png", 16, True),
    ("tiff", ".tif", 8, True),
    ("tiff", ".tif", 16, True),
    ("webp", ".webp", 8, False),
    ("avif", ".avif", 8, False),
    ("avif", ".avif", 10, False),
    ("avif", ".avif", 12, False),
]


def exiftool(*arguments: str) -> str:
    run = subprocess.run(["exiftool", *arguments], capture_output=True, text=True, check=True)
    return run.stdout


def all_tags(*paths: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        exiftool("-j", "-G1", "-a", "-n", "-validate", "-all:all", *map(str, paths))
    )
    return found


def tags(path: Path) -> dict[str, Any]:
    return all_tags(path)[0]


def grey(bits: int, height: int = 40, width: int = 56) -> Any:
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    values = 0.1 + 0.8 * (x + y) / 2
    deep = bits > 8
    codes = np.rint(values * (65535 if deep else 255)).astype(np.uint16 if deep else np.uint8)
    image = pyvips.Image.new_from_array(codes)
    return image.copy(interpretation="grey16" if deep else "b-w")


def coloured(photo: Photo, target: Path, **options: Any) -> Any:
    L = photo.thumbnail(64)
    ab = np.stack([20 * np.sin(L / 10), 15 * np.cos(L / 15)], axis=-1).astype(np.float32)
    chroma = Chroma.fit(ab, np.full(L.shape, 0.5, np.float32), L)
    return photo.tint([chroma] * photo.pages).save(target, **options)


def source(folder: Path, name: str, suffix: str, bits: int, has_iptc: bool) -> Path:
    path = folder / f"source{suffix}"
    image = grey(bits)
    if name == "avif":
        image.heifsave(str(path), compression="av1", bitdepth=bits, Q=90, effort=0)
    else:
        image.write_to_file(str(path))
    fields = {**EXIF, **XMP, **(IPTC if has_iptc else {})}
    if name == "avif":  # orientation is a property of the file there
        del fields["IFD0:Orientation"]
    if name != "avif":
        fields |= {"IFD0:XResolution": "300", "IFD0:YResolution": "300"}
        fields |= {"IFD0:ResolutionUnit": "2"}
    if name == "jpeg":
        fields |= {"JFIF:XResolution": "300", "JFIF:YResolution": "300"}
        fields |= {"JFIF:ResolutionUnit": "1"}
    if name == "png":
        fields |= {"PNG-pHYs:PixelsPerUnitX": "11811", "PNG-pHYs:PixelsPerUnitY": "11811"}
        fields |= {"PNG-pHYs:PixelUnits": "1"}
    arguments = [f"-{tag}={value}" for tag, value in fields.items()]
    exiftool("-q", "-n", "-overwrite_original", "-codedcharacterset=utf8", *arguments, str(path))
    return path


@pytest.mark.parametrize(("name", "suffix", "bits", "has_iptc"), MATRIX)
def test_everything_a_file_says_is_kept(
    tmp_path: Path, name: str, suffix: str, bits: int, has_iptc: bool
) -> None:
    path = source(tmp_path, name, suffix, bits, has_iptc)
    photo = Photo.open(path)
    assert (photo.format, photo.bits) == (name, bits)
    target = tmp_path / f"result{suffix}"
    saved = coloured(photo, target)
    assert (saved.format, saved.bits, saved.notes) == (name, bits, ())

    before, after = all_tags(path, target)
    groups = ("IFD0:", "ExifIFD:", "GPS:", "IPTC:", "XMP-", "JFIF:", "PNG-pHYs:")
    # what describes the pixels' coding; the profile and colour space are sRGB now
    coding = ("BitsPerSample", "Compression", "Photometric", "StripOffsets", "SamplesPerPixel",
              "RowsPerStrip", "StripByteCounts", "PlanarConfig", "SampleFormat", "Predictor",
              "ColorSpace", "DigitalSourceType", "XMPToolkit", "FillOrder", "JFIFVersion",
              "SubfileType", "IFD0:XMP", "PageNumber")  # fmt: skip
    lost = {
        key: value
        for key, value in before.items()
        if key.startswith(groups) and not any(word in key for word in coding)
        and after.get(key) != value
    }  # fmt: skip
    assert lost == {}
    assert len([key for key in before if key.startswith(groups)]) >= 15
    assert after["ExifIFD:ColorSpace"] == 1
    assert after["ICC_Profile:ProfileDescription"] == "sRGB"
    assert after["XMP-iptcExt:DigitalSourceType"] == COMPOSITE
    assert after["XMP-retint:SourceDigitalSourceType"].endswith("/print")
    assert after["XMP-iptcExt:AISystemUsed"].startswith("retint")
    assert after["XMP-iptcExt:AISystemVersionUsed"]
    assert after["Composite:ImageSize"] == "56 40"
    assert after["ExifTool:Validate"].split()[0] == "0", after["ExifTool:Validate"]
    assert Photo.open(target).is_marked
    assert not photo.is_marked


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_profile_of_a_grey_scan_gives_way_to_srgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"source{suffix}"
    profile = tmp_path / "p3.icc"
    profile.write_bytes(bytes(pyvips.Image.profile_load("p3")))
    grey(8).colourspace("srgb").write_to_file(str(path), profile=str(profile))
    assert tags(path)["ICC_Profile:ProfileDescription"] != "sRGB"
    target = tmp_path / f"result{suffix}"
    coloured(Photo.open(path), target)
    assert tags(target)["ICC_Profile:ProfileDescription"] == "sRGB"


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp"])
def test_what_one_format_says_another_repeats(tmp_path: Path, suffix: str) -> None:
    for name, from_suffix in (("tiff", ".tif"), ("jpeg", ".jpg")):
        folder = tmp_path / name
        folder.mkdir()
        path = source(folder, name, from_suffix, 8, has_iptc=True)
        target = folder / f"result{suffix}"
        saved = coloured(Photo.open(path), target)
        after = tags(target)
        assert after["IFD0:Artist"] == "Nadar"
        assert after["ExifIFD:ISO"] == 400
        assert after["GPS:GPSLatitude"] == 48.5
        assert after["XMP-dc:Title"] == "Rue, <1912> & co"
        assert after["IFD0:XResolution"] == 300
        if suffix == ".webp":
            assert saved.notes == ("WEBP has no place for its IPTC",)
        else:
            assert after["IPTC:Caption-Abstract"] == "A street in Paris"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_a_grey_thumbnail_does_not_stay(tmp_path: Path, suffix: str) -> None:
    small = tmp_path / "small.jpg"
    grey(8, 12, 16).write_to_file(str(small))
    path = tmp_path / f"source{suffix}"
    grey(8).write_to_file(str(path))
    base = tmp_path / "base.jpg"
    grey(8).write_to_file(str(base))
    arguments = ["-q", "-n", "-overwrite_original", "-IFD0:Artist=Nadar", "-ExifIFD:ISO=400"]
    exiftool(*arguments, f"-ThumbnailImage<={small}", str(base))
    if suffix != ".tif":
        exiftool("-q", "-overwrite_original", "-tagsfromfile", str(base), "-exif:all",
                 "-ThumbnailImage", str(path))  # fmt: skip
        assert "IFD1:ThumbnailImage" in tags(path)
    else:
        shutil.copy(base, path.with_suffix(".jpg"))
        path = path.with_suffix(".jpg")
    target = tmp_path / f"result{suffix}"
    coloured(Photo.open(path), target)
    after = tags(target)
    assert not [key for key in after if key.startswith("IFD1") or "Thumbnail" in key]
    assert after["IFD0:Artist"] == "Nadar"
    assert small.read_bytes()[200:300] not in target.read_bytes()


def test_xmp_larger_than_a_segment_is_split_and_read_again(tmp_path: Path) -> None:
    path = source(tmp_path, "tiff", ".tif", 8, has_iptc=False)
    words = " ".join(f"word{i}" for i in range(20_000))
    text = tmp_path / "words.txt"
    text.write_text(words)
    exiftool("-q", "-overwrite_original", f"-XMP-dc:Description<={text}", str(path))
    target = tmp_path / "result.jpg"
    coloured(Photo.open(path), target)
    after = tags(target)
    assert after["XMP-dc:Description"] == words
    assert after["XMP-iptcExt:DigitalSourceType"] == COMPOSITE
    photo = Photo.open(target)
    assert photo.is_marked
    assert words.encode() in photo.metadata().xmp


def test_what_a_jpeg_2000_says_is_kept_in_its_tiff(tmp_path: Path) -> None:
    from PIL import Image

    path, target = tmp_path / "source.jp2", tmp_path / "result.tif"
    Image.fromarray(grey(8).numpy()).save(path, irreversible=False)
    fields = {**EXIF, **XMP}
    arguments = [f"-{tag}={value}" for tag, value in fields.items()]
    exiftool("-q", "-n", "-overwrite_original", *arguments, str(path))
    resolution = b"resc" + bytes([0, 118, 0, 1, 0, 118, 0, 1, 2, 2])  # 11800 a metre
    data = path.read_bytes()
    at = data.index(b"jp2h") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    grown = (size + 26).to_bytes(4, "big") + data[at + 4 : at + size]
    inside = (26).to_bytes(4, "big") + b"res " + (18).to_bytes(4, "big") + resolution
    path.write_bytes(data[:at] + grown + inside + data[at + size :])
    saved = coloured(Photo.open(path), target)
    assert saved.format == "tiff"
    after = tags(target)
    assert after["IFD0:Artist"] == "Nadar"
    assert after["IFD0:Orientation"] == 6
    assert after["ExifIFD:ISO"] == 400
    assert after["XMP-dc:Title"] == "Rue, <1912> & co"
    assert after["IFD0:XResolution"] == 118
    assert after["IFD0:ResolutionUnit"] == 3
