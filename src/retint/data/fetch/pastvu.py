"""Old photographs from PastVu, by its public interface: few at a time, with all that is said of
their rights, and without the strip that the site puts under each.

Interface: https://docs.pastvu.com/en/dev/api. The strip: controllers/photoConverter.js of
https://github.com/PastVu/pastvu.
"""

import csv
import html
import io
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageStat, UnidentifiedImageError
from PIL.JpegImagePlugin import get_sampling

from retint.data.fetch.folder import alone_in
from retint.data.fetch.pictures import COLUMNS, NAME, Row, plain
from retint.data.fetch.sources import PASTVU
from retint.data.fetch.web import Refused, Web
from retint.errors import InputError, OptionsError

MORE = (
    *("year", "year2", "kind", "source", "uploader", "address", "regions", "latitude", "longitude"),
    *("description", "original_download", "cid", "strip", "strip_seen"),
)
API, PICTURES = "/api2", "/_p/d/"
LEFT_OUT = "left-out.csv"
CURSOR = "pastvu-cursor.json"
TILE = 0.25  # degrees; one listing each
ZOOM = 17  # from here on photographs are listed one by one, never in clusters
PUBLIC = 5  # of the statuses in PastVu's controllers/constants.js
KINDS = {1: "photograph", 2: "drawing"}
YEARS = {False: (1826, 2000), True: (-100, 1980)}  # what PastVu takes, of photographs and drawings
STRIP_COLOURS = ((0x55, 0x55, 0x55), (0x28, 0x59, 0x91))
POLITE = 1.0  # seconds between requests where robots.txt asks for nothing

Record = dict[str, Any]
"""What PastVu says of a picture."""

Progress = Callable[[int, int], None]
"""Hears how many pictures there are, and how many were left out."""


@dataclass(frozen=True)
class Search:
    """Which pictures: degrees (west, south, east, north), years (first, last; None: all), a
    region's number (0: all), and drawings in place of photographs."""

    bounds: tuple[float, float, float, float]
    years: tuple[int, int] | None = None
    region: int = 0
    drawings: bool = False

    def __post_init__(self) -> None:
        west, south, east, north = self.bounds
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise OptionsError("bounds are west, south, east, north in degrees, in this order")
        first, last = YEARS[self.drawings]
        if self.years and not first <= self.years[0] <= self.years[1] <= last:
            raise OptionsError(f"years are FIRST-LAST within {first} and {last}")

    def tiles(self) -> list[tuple[float, float, float, float]]:
        """The bounds in tiles of a quarter of a degree or less, row by row from the south."""
        west, south, east, north = self.bounds
        return [(w, s, e, n) for s, n in _steps(south, north) for w, e in _steps(west, east)]

    def parameters(self, tile: tuple[float, float, float, float]) -> dict[str, Any]:
        """What photo.getByBounds is asked: longitude before latitude, counter-clockwise."""
        west, south, east, north = tile
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        asked: dict[str, Any] = {
            "z": ZOOM,
            "localWork": True,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        if self.years:
            asked |= {"year": self.years[0], "year2": self.years[1]}
        if self.drawings:
            asked["isPainting"] = True
        return asked


def fetch(
    search: Search,
    folder: Path,
    web: Web,
    progress: Progress,
    limit: int = 0,
    site: str = PASTVU.page,
) -> tuple[int, int]:
    """Fetch what a search finds until the folder has `limit` pictures (0: no limit); how many it
    has then, and how many were left out.

    Two requests a picture, one after the other. Without a pause of its own `web` keeps the one
    that the site's robots.txt asks for, a second at least. Stopped anywhere, the same call goes on
    from there. InputError for a server at fault, OptionsError where the folder has another search.
    """
    rules = web.rules(site)
    if not all(rules.can_fetch("retint", f"{site}{path}") for path in (API, PICTURES)):
        raise InputError(f"{site}/robots.txt: asks programs to stay away")
    web.pause = web.pause or max(POLITE, float(rules.crawl_delay("retint") or 0))
    with alone_in(folder):
        return _fetch(search, _State(folder, search), web, progress, limit, site)


def _fetch(
    search: Search, state: "_State", web: Web, progress: Progress, limit: int, site: str
) -> tuple[int, int]:
    tiles = search.tiles()
    while state.tiles_done < len(tiles):
        for found in _listed(web, site, search.parameters(tiles[state.tiles_done])):
            if limit and len(state.have) >= limit:
                return len(state.have), len(state.out)
            cid = int(found["cid"])
            if cid not in state.have and cid not in state.out and _in_years(found, search.years):
                _one(web, site, cid, search, state)
                progress(len(state.have), len(state.out))
        state.tile_done()
    if not state.have and not state.out:
        state.forget()
        raise InputError(
            f"{site}: has nothing there; bounds are west, south, east, north "
            f"(longitude before latitude): {search.bounds}"
        )
    return len(state.have), len(state.out)


def _one(web: Web, site: str, cid: int, search: Search, state: "_State") -> None:
    """Fetch one picture and what is said of it, or note why not."""
    try:
        record: Record = ask(web, site, "photo.giveForPage", {"cid": cid})["photo"]
        if reason := _unwanted(record, search):
            state.leave_out(cid, reason)
            return
        data = web.get(f"{site}{PICTURES}{record['file'].partition('?')[0]}")
        picture, strip, seen = without_strip(data, int(record.get("waterhs") or 0))
    except Refused as refused:
        if refused.code in (401, 403):
            raise InputError(
                f"{site}: wants no more of this (HTTP {refused.code}); ask its owners"
            ) from None
        state.leave_out(cid, f"not to be had (HTTP {refused.code})")
        return
    except _Answer as answer:
        state.leave_out(cid, f"PastVu says: {answer}")
        return
    except (UnidentifiedImageError, OSError, KeyError, Image.DecompressionBombError) as error:
        state.leave_out(cid, f"no picture ({error!r})")
        return
    suffix = ".png" if picture.startswith(b"\x89PNG") else ".jpg"
    path = state.folder / "pictures" / f"{cid}{suffix}"
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(picture)
    part.replace(path)
    file = path.relative_to(state.folder).as_posix()
    state.keep(cid, {"file": file, **describe(record, site), **_told(strip, seen)})


def ask(web: Web, site: str, method: str, params: dict[str, Any]) -> Any:
    """The result of one method. `_Answer` where PastVu has an error to tell."""
    query = urllib.parse.urlencode({"method": method, "params": json.dumps(params)})
    body = web.get(f"{site}{API}?{query}")
    try:
        reply: Record = json.loads(body)
    except ValueError:
        raise InputError(f"{site}{API}: {method} did not answer in JSON; try again later") from None
    if "result" not in reply:
        error: Any = reply.get("error") or reply
        if not isinstance(error, str):
            error = error.get("message") or error.get("code") or error
        raise _Answer(_text(error))
    return reply["result"]


class _Answer(Exception):
    """An error that PastVu tells of."""


def _listed(web: Web, site: str, params: Record) -> list[Record]:
    try:
        return ask(web, site, "photo.getByBounds", params)["photos"]
    except Refused as refused:
        raise InputError(f"{site}{API}: refused (HTTP {refused.code})") from None
    except _Answer as answer:
        raise InputError(f"{site}{API}: PastVu says: {answer}") from None


def _unwanted(record: Record, search: Search) -> str:
    """Why a picture is not taken; empty where it is."""
    if record.get("s", PUBLIC) != PUBLIC:
        return "not public any more"
    if KINDS.get(record.get("type", 1)) != KINDS[2 if search.drawings else 1]:
        return "a photograph" if search.drawings else "a drawing"
    if search.region and search.region not in {r["cid"] for r in record.get("regions", ())}:
        return f"not in region {search.region}"
    return ""


def _in_years(found: Record, years: tuple[int, int] | None) -> bool:
    return years is None or years[0] <= int(found.get("year", years[0])) <= years[1]


def describe(record: Record, site: str = PASTVU.page) -> Row:
    """Row of a picture from photo.giveForPage; texts without their HTML. Nothing is said of
    colour: PastVu does not know it."""
    place = record.get("geo") or ("", "")
    owner: Record = record.get("user") or {}
    kind = KINDS[record.get("type", 1)]
    return {
        "dataset": "pastvu",
        "labels": kind,
        "license": PASTVU.license,
        "author": _text(record.get("author")),
        "url": f"{site}/p/{record['cid']}",
        "title": _text(record.get("title")),
        "year": str(record.get("year", "")),
        "year2": str(record.get("year2", "")),
        "kind": kind,
        "source": _text(record.get("source")),
        "uploader": _text(owner.get("login")),
        "address": _text(record.get("address")),
        "regions": ";".join(_text(r.get("title_local")) for r in record.get("regions", ())),
        "latitude": str(place[0]),
        "longitude": str(place[1]),
        "description": _text(record.get("desc")),
        "original_download": "refused by its owner" if record.get("disallowDownloadOrigin") else "",
        "cid": str(record["cid"]),
    }


def without_strip(data: bytes, claimed: int) -> tuple[bytes, int, bool]:
    """A picture of standard size without PastVu's strip; the rows cut, and whether they looked so.

    The strip is added below the picture, 14 rows to 600 of it and 14 at least; `claimed` is what
    the record says (`waterhs`), 0 where it says nothing: then rows are cut only if they look so.
    What remains of a JPEG is written with the tables it came with.
    """
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
    width, height = picture.size
    rows = claimed or max(14, round(height * 14 / 614))
    if rows >= height:
        raise OSError(f"{rows} rows of {height} are strip")
    middle = ImageStat.Stat(picture.crop((0, height - rows, width, height)).convert("RGB")).median
    seen = any(
        all(abs(m - c) <= 16 for m, c in zip(middle, colour, strict=True))
        for colour in STRIP_COLOURS
    )
    if not (claimed or seen):
        return data, 0, False
    cut = picture.crop((0, 0, width, height - rows))
    out = io.BytesIO()
    if picture.format == "JPEG":
        tables: Any = getattr(picture, "quantization", None)
        cut.save(out, "JPEG", qtables=tables, subsampling=get_sampling(picture))
    elif picture.format == "PNG":
        cut.save(out, "PNG")
    else:
        cut.convert("RGB").save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue(), rows, seen


class _State:
    """What a folder has: its search, tiles done, pictures kept and left out; on disk at once."""

    def __init__(self, folder: Path, search: Search) -> None:
        self.folder = folder
        self._cursor = folder / CURSOR
        self.search = json.loads(json.dumps(asdict(search)))
        self.tiles_done = 0
        if self._cursor.exists():
            try:
                read = json.loads(self._cursor.read_text("utf-8"))
                before, self.tiles_done = read["search"], int(read["tiles_done"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{self._cursor}: cannot be read ({error!r})") from None
            if before != self.search:
                raise OptionsError(f"{folder} has another search ({before}); name another with -o")
        self._note()
        self._kept = folder / NAME
        self._left = folder / LEFT_OUT
        self.have = _cids(self._kept, (*COLUMNS, *MORE))
        self.out = _cids(self._left, ("cid", "reason"))

    def keep(self, cid: int, row: Row) -> None:
        """A picture is there."""
        _append(self._kept, [plain(row.get(key, "")) for key in (*COLUMNS, *MORE)])
        self.have.add(cid)

    def leave_out(self, cid: int, reason: str) -> None:
        """A picture will not be there, and why."""
        _append(self._left, [str(cid), plain(reason)])
        self.out.add(cid)

    def tile_done(self) -> None:
        """All of a tile is kept or left out."""
        self.tiles_done += 1
        self._note()

    def forget(self) -> None:
        """Nothing was found: the same search may look again."""
        self._cursor.unlink()

    def _note(self) -> None:
        part = self._cursor.with_name(f"{CURSOR}.part")
        part.write_text(json.dumps({"search": self.search, "tiles_done": self.tiles_done}), "utf-8")
        part.replace(self._cursor)


def _cids(path: Path, header: Sequence[str]) -> set[int]:
    """Numbers of the pictures in a table that grows by whole lines; a torn last one is cut off."""
    if not path.exists():
        _append(path, header)
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        path.write_bytes(whole)
    return {int(row["cid"]) for row in csv.DictReader(whole.decode("utf-8").splitlines())}


def _append(path: Path, values: Sequence[str]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow(values)


def _told(strip: int, seen: bool) -> Row:
    return {"strip": str(strip), "strip_seen": "yes" if seen else "no"}


def _text(value: Any) -> str:
    """Plain text of a field that may hold HTML or nothing."""
    return plain(html.unescape(re.sub(r"<[^>]*>", " ", str(value or ""))))


def _steps(low: float, high: float) -> Iterator[tuple[float, float]]:
    count = max(1, -int((low - high) // TILE))
    for k in range(count):
        yield round(low + k * TILE, 6), round(min(high, low + (k + 1) * TILE), 6)
