"""Requests and files that mean harm: names, forms, numbers, scripts, addresses to be fetched."""

import contextlib
import http.client
import io
import json
import re
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

from bombs import xmp_png
from mutations import XMP, originals
from retint.serve import Settings
from retint.serve.api.intake import names_of
from served import Answer, Served, served

PICTURE = originals()["grey.png"]
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def here(fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("root")
    (root / "a.png").write_bytes(PICTURE)
    models = {"fake": str(fake_onnx)}
    data = tmp_path_factory.mktemp("data")
    with served(Settings(data=data, root=root, models=models, device="cpu")) as here:
        yield here


# Names and paths

NAMES = (
    "../../../etc/passwd.png", "..\\..\\evil.png", "/etc/cron.d/a.png", "C:\\Windows\\a.png",
    "a.png:stream.exe", "\u202egnp.exe.png", "a\0.png", "CON.png", "-rf.png",
    "~root.png", "$(id).png", "a\r\nSet-Cookie: x=1.png", "%2e%2e%2fa.png", f"{SCRIPT}.png",
    "." * 200 + ".png", "ü" * 200,
)  # fmt: skip


def test_names_lead_nowhere(here: Served):
    files = [("images", name.replace('"', ""), PICTURE) for name in NAMES if "\r" not in name]
    answer = here.ask("/v1/jobs", {}, files)
    told = here.ended(answer.headers["Location"])
    assert told["states"] == {"done": len(files)}
    folder = here.service.settings.folder(told["id"]) / "sources"
    assert len(list(folder.iterdir())) == len(files)
    answer = here.ask(f"{answer.headers['Location']}/results")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        for name in archive.namelist():
            assert "/" not in name
            assert "\\" not in name
            assert name.isprintable()
            assert PurePosixPath(name).name == PureWindowsPath(name).name == name
            assert not PureWindowsPath(name).is_reserved()


def test_names_are_harmless_whatever_they_are():
    found = names_of(list(NAMES))
    assert len({name.casefold() for name in found}) == len(NAMES)
    assert not any(set(name) & set('/\\:*?"<>|\0\r\n') or name.startswith(".") for name in found)


@pytest.mark.parametrize(
    "path",
    ["..", "../../etc/passwd", "/etc/passwd", "a.png/../../..", "a" * 5000, "a\0", "\\\\host\\a",
     "file:///etc/passwd", "http://127.0.0.1/a.png", "//127.0.0.1/a.png", "~", "./" * 3000],
)  # fmt: skip
def test_paths_stay_below_the_root(here: Served, path: str):
    answer = here.ask("/v1/jobs", {"path": path})
    if answer.status == 202:  # the root itself, said in many words
        assert here.ended(answer.headers["Location"])["total"] == 1
    else:
        assert answer.status == 422


@pytest.mark.parametrize(
    "path",
    ["/page/../../../etc/passwd", "/page/..%2f..%2fabout.py", "/page/%2e%2e/about.py", "/page/%00",
     "/v1/jobs/..%2f..", "/v1/jobs/%00", "/v1/jobs/%ff%fe", "/v1/photographs/../jobs",
     "/v1/jobs//results/1", "/%c0%ae%c0%ae/etc/passwd", "/page/" + "a" * 5000],
)  # fmt: skip
def test_addresses_lead_nowhere(here: Served, path: str):
    answer = here.ask(path)
    assert answer.status in (404, 405, 422), path
    assert b"root:" not in answer.body
    assert b"import " not in answer.body


# Numbers and forms


def test_numbers_beyond_reason_are_refused(here: Served):
    job = here.ask("/v1/jobs", {}, [("images", "a.png", PICTURE)]).headers["Location"]
    here.ended(job)
    huge = "9" * 30
    for path in (f"{job}/results/{huge}", f"{job}?begin={huge}", f"{job}?count={huge}"):
        assert here.ask(path).status == 422, path
    for seen in (huge, "-1", "\u00b2", "1e3", "9" * 5000):
        assert here.ask(f"{job}/events", headers={"Last-Event-ID": seen}).status == 200, seen
    for field in ("saturation", "mute_uncertain", "longest", "quality", "alternative"):
        for value in ("nan", "inf", "-inf", huge, "1e999", "0x10", "", "١", "1" * 5000):
            answer = here.ask("/v1/colorize", {field: value}, [("image", "a.png", PICTURE)])
            assert answer.status in (200, 422), (field, value)
            assert answer.status == 422 or value in ("", "١"), (field, value)


HINTS = (
    "[" * 100_000, "[" * 900 + "]" * 900, '[{"x": 1e999, "y": 0, "a": 0, "b": 0}]', "{}", "null",
    '[{"x": NaN, "y": 0, "a": 0, "b": 0}]', '[{"x": 0, "y": 0, "a": NaN, "b": 0}]', "1" * 5000,
    '"' * 3, '[{"x": ' + "9" * 400 + ', "y": 0, "a": 0, "b": 0}]',
    '[{"x": "\\ud800", "y": 0, "a": 0, "b": 0}]',
    '[{"__class__": 1, "x": 0, "y": 0, "a": 0, "b": 0}]',
    json.dumps([{"x": 0, "y": 0, "a": 0, "b": 0}] * 300),
)  # fmt: skip


@pytest.mark.parametrize("hints", HINTS, ids=range(len(HINTS)))
def test_hints_that_are_none_are_refused(here: Served, hints: str):
    answer = here.ask("/v1/colorize", {"hints": hints}, [("image", "a.png", PICTURE)])
    assert answer.status == 422, hints[:60]
    assert len(answer.body) < 10_000


BODIES: dict[str, tuple[str, bytes]] = {
    "no boundary": ("multipart/form-data", b"--b\r\n"),
    "other boundary": ("multipart/form-data; boundary=c", b"--b\r\n"),
    "long boundary": ("multipart/form-data; boundary=" + "b" * 1000, b"--b\r\n"),
    "no end": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nxx',
    ),
    "no name": (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
    ),
    "huge header": (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: " + b"x" * 100_000 + b"\r\n\r\nx\r\n--b--",
    ),
    "many fields": (
        "application/x-www-form-urlencoded",
        b"&".join(b"a%d=1" % n for n in range(2000)),
    ),
    "huge field": ("application/x-www-form-urlencoded", b"a=" + b"x" * 3_000_000),
    "json": ("application/json", b'{"image": "http://127.0.0.1/"}'),
    "xml": ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    "nothing": ("", b""),
    "packed": ("multipart/form-data; boundary=b", b"\x1f\x8b\x08" + bytes(100)),
}  # fmt: skip


# Starlette leaves the file of a part that does not end to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", ["/v1/colorize", "/v1/jobs", "/v1/photographs"])
def test_bodies_that_are_no_form_are_refused(here: Served, path: str):
    for name, (kind, body) in BODIES.items():
        answer = raw(here, path, body, {"Content-Type": kind})
        assert answer.status in (400, 422), (name, answer.status, answer.body[:200])
        assert answer.headers["Content-Type"] == "application/problem+json", name


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "punycode", "idna", "utf-16", "hex", "x"]
)
def test_fields_in_any_encoding_are_read_or_refused(here: Served, charset: str):
    """Some of Python's encodings give half characters, which no answer can hold."""
    parts = [(b"\\ud800+2AA-", b"1"), (b"path", b"\\ud800+2AA-")]
    for name, value in parts:
        body = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n--b--\r\n' % (
            name,
            value,
        )
        kind = f"multipart/form-data; boundary=b; charset={charset}"
        answer = raw(here, "/v1/jobs", body, {"Content-Type": kind})
        assert answer.status in (400, 422), (charset, answer.body)
        answer.json()


def raw(here: Served, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send a body as it is."""
    address = here.url.removeprefix("http://")
    with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def test_methods_do_not_make_the_meters_grow(here: Served):
    for number in range(20):
        assert here.ask(f"/none{number}", method=f"BREW{number}").status in (404, 405)
    text = here.ask("/metrics").body.decode()
    assert "BREW" not in text
    assert "none1" not in text


# Files that are more than one thing, and scripts


def polyglots() -> dict[str, bytes]:
    """Files that are a picture and something else, or only look like one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil.sh", "id")
    html = f"<html>{SCRIPT}</html>".encode()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/>{SCRIPT}</svg>'
    )
    whole = originals()
    return {
        "picture and zip.png": PICTURE + packed.getvalue(),
        "picture and page.jpg": whole["grey.jpg"] + html,
        "picture and program.gif": whole["a.gif"] + b"\x7fELF" + bytes(100),
        "page in a comment.gif": b"GIF89a/*" + html + whole["a.gif"][14:],
        "jpeg named.html": whole["grey.jpg"],
        "picture.svg": svg.encode(),
        "svg named.png": svg.encode(),
        "svgz named.jpg": b"\x1f\x8b\x08" + svg.encode(),
        "page named.jpg": html,
        "mvg named.png": b"push graphic-context\nimage over 0,0 0,0 'url(http://127.0.0.1/)'",
        "eps named.tif": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n",
        "pdf named.tif": b"%PDF-1.7\n/JS (app.alert(1))",
        "xbm named.gif": b"#define a_width 9\n#define a_height 9\nstatic char a_bits[] = {0};",
        "script first.png": b"#!/bin/sh\nid\n" + PICTURE,
    }


@pytest.mark.parametrize("name", polyglots())
def test_files_of_two_kinds_come_out_as_pictures(here: Served, name: str):
    data = polyglots()[name]
    answer = here.ask("/v1/colorize", {"if_colour": "recolour"}, [("image", name, data)])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.status == 200:
        assert answer.headers["Content-Type"].startswith("image/")
        for part in (b"<script>", b"\x7fELF", b"PK\3\4", b"#!/bin/sh"):
            assert part not in answer.body or part in originals()["grey.jpg"]
    else:
        assert answer.status == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert b"root:" not in answer.body


def test_what_a_photograph_says_is_never_a_page(here: Served):
    """A caption may be a script: it stays in the photograph, and nothing here takes it for one."""
    source = originals()["grey.jpg"]
    assert SCRIPT.encode() in source
    job = here.ask("/v1/jobs", {}, [("images", f"{SCRIPT}.jpg", source)]).headers["Location"]
    here.ended(job)
    kept = here.ask("/v1/photographs", {}, [("image", f"{SCRIPT}.jpg", source)]).headers["Location"]
    for path in (job, f"{job}/results/1", f"{job}/events", kept, f"{kept}/preview", f"{kept}/none"):
        answer = here.ask(path)
        kind = answer.headers["Content-Type"]
        assert re.match(r"application/(problem\+)?json|image/|text/event-stream", kind), kind
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    problem = here.ask("/v1/colorize", {SCRIPT: "1"}, [("image", f"{SCRIPT}.jpg", b"x")])
    assert problem.headers["Content-Type"] == "application/problem+json"


# Nothing is fetched


def test_nothing_is_fetched(here: Served):
    """Addresses in files, names and fields: whoever lives there never hears of it."""
    heard: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    ear = HTTPServer(("127.0.0.1", 0), Ear)
    listening = threading.Thread(target=ear.serve_forever)
    listening.start()
    url = f"http://127.0.0.1:{ear.server_port}/heard"
    try:
        entity = f'<!DOCTYPE x [<!ENTITY % a SYSTEM "{url}"> %a; <!ENTITY b SYSTEM "{url}">]>'
        files = {
            "a.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
            "a.png": f"push graphic-context\nimage over 0,0 0,0 'url({url})'",
            "a.gif": f'<?xml-stylesheet href="{url}"?><?xml version="1.0"?>{entity}<a>&b;</a>',
            "a.jpg": url,
            url: url,
        }
        sent = [(name, text.encode()) for name, text in files.items()]
        sent.append(("x.png", xmp_png(entity.encode() + XMP.replace(b"&lt;", b"&b;"))))
        for name, data in sent:
            for path, field in (("/v1/colorize", "image"), ("/v1/photographs", "image")):
                answer = here.ask(path, {}, [(field, name, data)])
                assert answer.status in (200, 201, 422)
        for form in ({"path": url}, {"model": url}, {"hints": url}, {"format": url}):
            assert here.ask("/v1/jobs", form).status == 422
        for field in ("image", "images", "photograph", "photographs"):
            form = urllib.parse.urlencode({field: url}).encode()
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            for path in ("/v1/colorize", "/v1/jobs"):
                assert raw(here, path, form, kind).status in (404, 422)
        assert here.ask(f"/v1/models?model={url}").status == 200
    finally:
        ear.shutdown()
        listening.join()
        ear.server_close()
    assert heard == []
