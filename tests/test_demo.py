"""The demo writes a wall of pictures and a page that stands alone."""

import html.parser
from pathlib import Path

import numpy as np
import pytest
import pyvips

import retint
from retint import color, demo

pytest.importorskip("skimage", exc_type=ImportError)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, fake_onnx: Path) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    wall = [demo.hang(exhibit, folder, model=str(fake_onnx)) for exhibit in demo.EXHIBITS]
    demo.write_page(folder, wall)
    return folder


class Links(html.parser.HTMLParser):
    """Collects what a page would load, and whether its elements are closed in order."""

    VOID = ("meta", "link", "img", "input", "br")

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def lightness(path: Path) -> np.ndarray:
    codes = pyvips.Image.new_from_file(str(path)).numpy() / 255
    rgb = codes if codes.ndim == 3 else np.stack([codes] * 3, axis=-1)
    return color.srgb_to_lab(rgb)[..., 0]


@pytest.mark.parametrize("exhibit", demo.EXHIBITS, ids=lambda exhibit: exhibit.name)
def test_each_photograph_goes_in_grey_and_comes_out_coloured(folder: Path, exhibit: demo.Exhibit):
    grey = folder / f"{exhibit.name}.grey.png"
    colour = folder / f"{exhibit.name}.colour.png"
    assert pyvips.Image.new_from_file(str(grey)).bands == 1
    assert pyvips.Image.new_from_file(str(colour)).bands == 3
    assert np.abs(lightness(colour) - lightness(grey)).max() < 0.30
    assert retint.open(colour).is_marked
    true = list(folder.glob(f"{exhibit.name}.true.*"))
    assert len(true) == (exhibit.name != "camera")
    for path in true:  # the grey one is the true one's luminance
        assert np.abs(lightness(path) - lightness(grey)).max() < 0.30


def test_page_loads_only_what_lies_beside_it(folder: Path):
    page = (folder / "index.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert not links.open
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    pictures = {link for link in links.loaded if not link.startswith("data:")}
    assert pictures == {path.name for path in folder.glob("*.*") if path.suffix in (".png", ".jpg")}


def test_page_is_honest(folder: Path):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "fake 1" in page
    assert retint.__version__ in page
    assert "guess" in page
    assert "$" not in page


def test_missing_photographs_are_said_in_one_line(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.data", None)
    with pytest.raises(retint.InputError, match=r"retint\[demo\]"):
        demo.hang(demo.EXHIBITS[0], tmp_path)


def test_unwritable_folder_is_said_in_one_line(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(retint.OutputError, match="file"):
        demo.hang(demo.EXHIBITS[0], blocked)
