"""PastVu, from a server that answers as its interface does."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw

from faulty_server import Clock, Reply, Server, serving
from retint.data.fetch import pastvu
from retint.data.fetch.fetched import Fetched
from retint.errors import InputError, OptionsError


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def silent(*_: object) -> None:
    pass


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "pictures.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def standard(size: tuple[int, int], strip: int, mode: str = "RGB") -> bytes:
    """A picture as PastVu sends it: its strip is added below, grey, with text and a logo."""
    width, height = size
    page = Image.new("RGB", (width, height + strip), (0x55, 0x55, 0x55))
    ramp = np.linspace(60, 250, width * height).reshape(height, width).astype(np.uint8)
    page.paste(Image.fromarray(ramp), (0, 0))
    if strip:
        draw = ImageDraw.Draw(page)
        draw.rectangle((2, height + 1, 13, height + strip - 2), (250, 190, 60))
        draw.text((17, height + 2), "pastvu.com/5  uploaded by Ilya", (0xF2, 0xF2, 0xF2))
    data = io.BytesIO()
    page.convert(mode).save(data, "JPEG", quality=82)
    return data.getvalue()


def record(cid: int, **values: object) -> dict[str, object]:
    """What photo.giveForPage says, after a real answer's fields."""
    return {
        "cid": cid,
        "s": 5,
        "type": 1,
        "file": f"b/1/0/b10d2d{cid}.jpg?s=1a2",
        "title": "Высотное здание",
        "year": 1954,
        "year2": 1956,
        "author": 'Photo by <a href="https://x.example">И. Петров</a>',
        "source": "книга &quot;Архитектура&quot;",
        "desc": "Two<br>lines",
        "geo": [46.99, 28.85],
        "w": 860,
        "h": 1200,
        "ws": 502,
        "hs": 684,
        "waterh": 28,
        "waterhs": 16,
        "user": {"login": "Ilya"},
        "regions": [{"cid": 1, "title_local": "Молдова"}, {"cid": 3, "title_local": "Кишинёв"}],
        **values,
    }


class PastVu:
    """The site's interface, over some records."""

    def __init__(self, server: Server, records: list[dict[str, object]]) -> None:
        self.records = {int(str(r["cid"])): r for r in records}
        self.asked: list[tuple[str, dict[str, object]]] = []
        server.answer = self
        server.files["/robots.txt"] = b"User-agent: *\nDisallow: /admin\n"
        for r in records:
            server.files[urlsplit(f"/_p/d/{r['file']}").path] = standard((502, 700), 16)

    def __call__(self, path: str) -> bytes | None:
        url = urlsplit(path)
        if url.path != "/api2":
            return None
        query = parse_qs(url.query)
        method, params = query["method"][0], json.loads(query["params"][0])
        self.asked.append((method, params))
        if method == "photo.giveForPage":
            if params["cid"] == 404:
                return json.dumps({"type": "NotFoundError", "code": "NO_SUCH_PHOTO"}).encode()
            result: object = {"photo": self.records[params["cid"]], "can": {"download": "login"}}
        else:
            ring = params["geometry"]["coordinates"][0]
            west, south, east, north = ring[0][0], ring[0][1], ring[2][0], ring[2][1]
            inside: list[dict[str, object]] = []
            for r in self.records.values():
                lat, lon = r["geo"]  # pyright: ignore[reportGeneralTypeIssues]
                if west <= lon <= east and south <= lat <= north:
                    inside.append({k: r[k] for k in ("cid", "file", "title", "geo", "year")})
            result = {"photos": inside, "z": params["z"]}
        return json.dumps({"result": result, "rid": "x"}).encode()


CITY = pastvu.Search((28.7, 46.9, 29.0, 47.1))


def test_pastvu(server: Server, tmp_path: Path, clock: Clock):
    records = [
        record(5),
        record(6, type=2),
        record(7, s=7),
        record(8, geo=[50, 50]),
        record(404),
        record(9, author=None, geo=[47.05, 28.95], disallowDownloadOrigin=True),
    ]
    site = PastVu(server, records)
    told: list[tuple[int, int]] = []
    have = pastvu.fetch(
        CITY, tmp_path, clock.web(), lambda *counts: told.append(counts), site=server.url
    )
    assert have == (2, 3)
    assert told[-1] == have
    rows = {row["cid"]: row for row in listed(tmp_path)}
    assert set(rows) == {"5", "9"}
    row = rows["5"]
    assert row["author"] == "Photo by И. Петров"
    assert row["source"] == 'книга "Архитектура"'
    assert row["description"] == "Two lines"
    assert (row["kind"], row["year"], row["year2"]) == ("photograph", "1954", "1956")
    assert row["url"].endswith("/p/5")
    assert "not to be passed on" in row["license"]
    assert (row["uploader"], row["regions"]) == ("Ilya", "Молдова;Кишинёв")
    assert (row["strip"], row["strip_seen"]) == ("16", "yes")
    assert rows["9"]["original_download"] == "refused by its owner"
    with Image.open(tmp_path / row["file"]) as got:
        assert got.size == (502, 700)
        assert np.asarray(got.convert("RGB"))[-1].mean() > 200  # the ramp's end, no strip
    left = dict(csv.reader((tmp_path / "left-out.csv").read_text("utf-8").splitlines()))
    assert left["6"] == "a drawing"
    assert left["7"] == "not public any more"
    assert "NO_SUCH_PHOTO" in left["404"]
    method, params = site.asked[0]
    assert method == "photo.getByBounds"
    assert params["z"] == 17
    assert params["geometry"]["coordinates"][0][0] == [28.7, 46.9]  # pyright: ignore
    # Six pages, two pictures, two tiles, robots.txt: a second at least between any two.
    assert clock.now >= len(server.seen) - 2
    assert all("?" not in path for path, _ in server.seen if path.startswith("/_p/"))
    originals = list(Fetched(tmp_path).originals({}))
    assert [original.columns["cid"] for original in originals] == ["5", "9"]
    assert originals[0].columns["author"] == "Photo by И. Петров"
    assert originals[0].read() == (tmp_path / row["file"]).read_bytes()
    before = len(server.seen)
    pastvu.fetch(CITY, tmp_path, clock.web(), silent, site=server.url)
    assert len(server.seen) == before + 1  # nothing but robots.txt


def test_pastvu_goes_on_where_it_was(server: Server, tmp_path: Path, clock: Clock):
    PastVu(server, [record(n) for n in range(1, 8)])
    assert pastvu.fetch(CITY, tmp_path, clock.web(), silent, 3, server.url) == (3, 0)
    with (tmp_path / "pictures.csv").open("a", encoding="utf-8") as file:
        file.write("pictures/4.jpg,,pas")  # killed in the middle of a line
    server.faults = [Reply(), Reply(429, {"Retry-After": "30"}), Reply(), Reply(cut=40), Reply(503)]
    assert pastvu.fetch(CITY, tmp_path, clock.web(), silent, site=server.url) == (7, 0)
    assert 30 in clock.naps
    assert sorted(row["cid"] for row in listed(tmp_path)) == list("1234567")
    pictures = [path for path, _ in server.seen if path.startswith("/_p/d/")]
    assert len(set(pictures)) == 7
    search = replace(CITY, years=(1900, 1950))
    with pytest.raises(OptionsError, match="another search"):
        pastvu.fetch(search, tmp_path, clock.web(), silent, site=server.url)


def test_pastvu_has_nothing_there(server: Server, tmp_path: Path, clock: Clock):
    site = PastVu(server, [record(5)])
    sea = pastvu.Search((0, 0, 0.2, 0.2))
    for _ in range(2):  # nothing is kept of a search that found nothing
        with pytest.raises(InputError, match="longitude before latitude"):
            pastvu.fetch(sea, tmp_path, clock.web(), silent, site=server.url)
    assert len(site.asked) == 2
    server.files["/api2"] = json.dumps({"type": "ApplicationError", "message": "Oh no"}).encode()
    with pytest.raises(InputError, match="Oh no"):
        pastvu.fetch(sea, tmp_path, clock.web(), silent, site=server.url)
    server.files["/api2"] = b"<html>"
    with pytest.raises(InputError, match="did not answer in JSON"):
        pastvu.fetch(sea, tmp_path, clock.web(), silent, site=server.url)


def test_pastvu_wants_no_more_or_lacks_a_picture(server: Server, tmp_path: Path, clock: Clock):
    PastVu(server, [record(n) for n in range(1, 5)])
    del server.files["/_p/d/b/1/0/b10d2d1.jpg"]
    server.files["/_p/d/b/1/0/b10d2d2.jpg"] = b"no picture"
    server.faults = [Reply()] * 6 + [Reply(403)]  # robots.txt, a list, two pages and pictures
    with pytest.raises(InputError, match=r"wants no more of this \(HTTP 403\)"):
        pastvu.fetch(CITY, tmp_path, clock.web(), silent, site=server.url)
    assert pastvu.fetch(CITY, tmp_path, clock.web(), silent, site=server.url) == (2, 2)
    left = (tmp_path / "left-out.csv").read_text()
    assert "1,not to be had (HTTP 404)" in left
    assert "2,no picture" in left


def test_pastvu_keeps_to_robots_txt(server: Server, tmp_path: Path, clock: Clock):
    PastVu(server, [record(5)])
    server.files["/robots.txt"] = b"User-agent: *\nDisallow: /admin\nCrawl-delay: 10 # seconds\n"
    pastvu.fetch(CITY, tmp_path / "a", clock.web(), silent, site=server.url)
    assert clock.now >= 10 * (len(server.seen) - 2)
    clock.now = 0
    pastvu.fetch(CITY, tmp_path / "b", clock.web(pause=2), silent, site=server.url)
    assert clock.now < 20
    server.files["/robots.txt"] = b"User-agent: *\nDisallow: /api2\n"
    with pytest.raises(InputError, match="stay away"):
        pastvu.fetch(CITY, tmp_path / "c", clock.web(), silent, site=server.url)


def test_pastvu_searches(server: Server, tmp_path: Path, clock: Clock):
    site = PastVu(
        server, [record(5), record(6, year=1930), record(7, type=2), record(8, regions=[])]
    )
    years = replace(CITY, years=(1950, 1960), region=3)
    assert pastvu.fetch(years, tmp_path / "y", clock.web(), silent, site=server.url) == (1, 2)
    assert site.asked[0][1]["year2"] == 1960
    assert all(params.get("cid") != 6 for _, params in site.asked)
    drawings = replace(CITY, drawings=True)
    assert pastvu.fetch(drawings, tmp_path / "d", clock.web(), silent, site=server.url) == (1, 3)
    assert listed(tmp_path / "d")[0]["kind"] == "drawing"
    assert site.asked[-1][1].get("isPainting") or site.asked[-1][0] == "photo.giveForPage"
    assert len(pastvu.Search((26.6, 45.4, 30.2, 48.5)).tiles()) == 15 * 13
    *_, east, north = pastvu.Search((26.6, 45.4, 30.2, 48.5)).tiles()[-1]
    assert (east, north) == (30.2, 48.5)
    for bounds in ((29, 46, 28, 47), (0, -91, 1, 1)):
        with pytest.raises(OptionsError, match="west, south, east, north"):
            pastvu.Search(bounds)
    with pytest.raises(OptionsError, match="1826 and 2000"):
        replace(CITY, years=(1700, 1900))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("height", [300, 700])
def test_the_strip_is_cut_and_nothing_else(mode: str, height: int):
    strip = max(14, round(height * 14 / 600))
    data = standard((502, height), strip, mode)
    for claimed in (strip, 0):
        cut, rows, seen = pastvu.without_strip(data, claimed)
        assert (rows, seen) == (strip, True)
        with Image.open(io.BytesIO(cut)) as got, Image.open(io.BytesIO(data)) as whole:
            assert got.mode == mode
            assert got.size == (502, height)
            kept = np.asarray(whole, float)[:height]
            # The rows that share a block of 8 or 16 with the strip are coded anew.
            inside = np.abs(np.asarray(got, float) - kept)[: height - 16]
            assert inside.max() <= 2
    bare = standard((502, height), 0, mode)
    assert pastvu.without_strip(bare, 0) == (bare, 0, False)
    assert pastvu.without_strip(bare, 16)[1:] == (16, False)
