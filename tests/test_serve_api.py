"""The API as a client meets it: real requests to a real server, whose workers are processes."""

import asyncio
import io
import json
import multiprocessing
import os
import shutil
import socket
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pyvips
from click.testing import CliRunner

pytest.importorskip("fastapi", exc_type=ImportError)

from fastapi import FastAPI

import retint
from retint.cli import main
from retint.errors import InputError, OutputError, RetintError
from retint.journal import NAME, Journal, Receipt
from retint.serve import Settings, create_app
from retint.serve.api.colorize import accepted
from retint.serve.api.intake import names_of
from retint.serve.problems import Problem
from retint.serve.store import keys
from retint.serve.store.sweep import sweep
from served import Served, logged, served

Photographs = dict[str, Path]


@pytest.fixture(scope="module")
def root(photographs: Photographs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What may be named by path: scans, one in a folder, one in colour; links that lead out."""
    root = tmp_path_factory.mktemp("root")
    (root / "attic" / "box").mkdir(parents=True)
    shutil.copy(photographs["grey.jpg"], root / "attic" / "a.jpg")
    shutil.copy(photographs["grey16.tif"], root / "attic" / "box" / "b.tif")
    shutil.copy(photographs["colour.jpg"], root / "attic" / "c.jpg")
    outside = tmp_path_factory.mktemp("outside") / "secret.jpg"
    shutil.copy(photographs["grey.jpg"], outside)
    (root / "attic" / "secret.jpg").symlink_to(outside)
    (root / "way-out").symlink_to(outside.parent)
    return root


@pytest.fixture(scope="module")
def here(fake_onnx: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    models = {"fake": str(fake_onnx), "default": "default"}
    data = tmp_path_factory.mktemp("data")
    with served(Settings(data=data, root=root, models=models, device="cpu")) as here:
        yield here


@pytest.fixture
def idle(tmp_path: Path) -> Settings:
    """A service that only takes work on: no process is started."""
    return Settings(data=tmp_path / "data", workers=0)


def upload(photographs: Photographs, *names: str, field: str = "images") -> list[Any]:
    return [(field, name, photographs[name].read_bytes()) for name in names]


def decoded(data: bytes) -> Any:
    image: Any = pyvips.Image
    return image.new_from_buffer(data, "")


# One photograph


def test_a_photograph_in_a_photograph_out(here: Served, photographs: Photographs):
    answer = here.ask("/v1/colorize", {}, upload(photographs, "grey16.tif", field="image"))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/tiff"
    result = decoded(answer.body)
    assert (result.width, result.height, result.bands) == (128, 96, 3)
    assert result.format == "ushort"
    receipt = Receipt.from_json(answer.headers["Retint-Receipt"])
    assert (receipt.source, receipt.target, receipt.status) == ("grey16.tif", "grey16.tif", "done")
    assert receipt.delta_L_max is not None
    assert receipt.delta_L_max <= 0.002
    limit = time.monotonic() + 10
    while list(here.service.settings.jobs.iterdir()):  # it is removed when the answer has left
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["grey.jpg", "grey16.tif", "toned.jpg", "colour.jpg"])
def test_the_receipt_is_the_command_lines(
    here: Served, photographs: Photographs, tmp_path: Path, name: str
):
    options = {"model": "default", "saturation": "1.3", "if_colour": "recolour"}
    answer = here.ask("/v1/colorize", options, upload(photographs, name, field="image"))
    shutil.copy(photographs[name], tmp_path / name)
    words = ["colorize", str(tmp_path / name), "-o", str(tmp_path / "out"), "--device=cpu"]
    words += [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    assert CliRunner().invoke(main, words).exit_code == 0
    (theirs,) = Journal(tmp_path / "out").receipts()
    ours = Receipt.from_json(answer.headers["Retint-Receipt"])
    own = {"source": "", "target": "", "seconds": 0.0, "time": ""}  # of this run alone
    assert replace(ours, **own) == replace(theirs, **own)
    assert (tmp_path / "out" / name).read_bytes() == answer.body


def test_accept_chooses_the_format_and_a_field_overrules_it(here: Served, photographs: Photographs):
    files = upload(photographs, "grey.png", field="image")
    wanted = {"Accept": "text/html, image/webp;q=0.5, image/tiff"}
    answer = here.ask("/v1/colorize", {}, files, wanted)
    assert decoded(answer.body).get("vips-loader").startswith("tiff")
    answer = here.ask("/v1/colorize", {"format": "jpeg"}, files, wanted)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert here.ask("/v1/colorize", {}, files, {"Accept": "text/html"}).status == 406


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        ("*/*", None), ("", None), ("image/*", None), ("image/png", "png"),
        ("image/avif;q=0.1, image/png;q=0.2", "png"), ("image/png, image/*;q=0.8", "png"),
        ("image/png;q=0, */*", None), ("image/png;q=nonsense, image/jpeg", "jpeg"),
    ],
)  # fmt: skip
def test_what_accept_means(accept: str, format: str | None):
    assert accepted(accept) == format


@pytest.mark.parametrize("accept", ["text/html", "image/gif", "image/png;q=0"])
def test_what_accept_cannot_mean(accept: str):
    with pytest.raises(Problem):
        accepted(accept)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"saturation": "9"}, "saturation"),
        ({"saturation": "much"}, "saturation"),
        ({"satuation": "1"}, "there is no option satuation"),
        ({"device": "cuda"}, "there is no option device"),
        ({"format": "gif"}, "format is 'gif', not one of"),
        ({"if_colour": "burn"}, "if_colour"),
        ({"model": "/etc/passwd"}, "There is no model /etc/passwd here, only fake, default"),
        ({"hints": "[1]"}, "hints are no JSON list"),
        ({"hints": '[{"x": 2, "y": 0, "a": 0, "b": 0}]'}, "shares, 0 to 1"),
        ({"hints": '[{"x": 0, "y": 0, "a": 0, "b": 0}]'}, "fake 1 takes no hints"),
    ],
)
def test_options_that_cannot_be_are_refused_in_words(
    here: Served, photographs: Photographs, form: dict[str, str], words: str
):
    answer = here.ask("/v1/colorize", form, upload(photographs, "grey.jpg", field="image"))
    problem = answer.json()
    assert answer.status == problem["status"] == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert words in problem["detail"]
    assert problem["request"] == answer.headers["X-Request-ID"]


def test_what_is_no_photograph_is_refused_with_its_receipt(here: Served, photographs: Photographs):
    torn = photographs["grey.jpg"].read_bytes()[:300]
    for content in (b"", b"<svg/>", torn):
        answer = here.ask("/v1/colorize", {}, [("image", "a.jpg", content)])
        assert answer.status == 422
        assert answer.json()["receipt"]["status"] == "failed"
        assert str(here.service.settings.data) not in answer.body.decode()
    answer = here.ask("/v1/colorize", {}, upload(photographs, "colour.jpg", field="image"))
    assert answer.status == 422
    assert "if_colour" in answer.json()["detail"]
    copied = {"if_colour": "copy"}
    answer = here.ask("/v1/colorize", copied, upload(photographs, "colour.jpg", field="image"))
    assert answer.body == photographs["colour.jpg"].read_bytes()


def test_limits_of_pixels_and_bytes(fake_onnx: Path, photographs: Photographs, tmp_path: Path):
    settings = Settings(
        data=tmp_path, models={"fake": str(fake_onnx)}, max_pixels=10_000, max_bytes=50_000
    )
    with served(settings) as here:
        answer = here.ask("/v1/colorize", {}, upload(photographs, "grey.jpg", field="image"))
        assert answer.status == 422
        assert "128 x 96 pixels, more than the 10000 allowed" in answer.json()["detail"]
        host = here.url.removeprefix("http://").split(":")
        for head in (b"Content-Length: 60000", b"Transfer-Encoding: chunked"):
            with socket.create_connection((host[0], int(host[1])), timeout=30) as connection:
                connection.sendall(
                    b"POST /v1/colorize HTTP/1.1\r\nHost: localhost\r\n" + head
                    + b"\r\nContent-Type: multipart/form-data; boundary=limit\r\n\r\n"
                )  # fmt: skip
                if b"chunked" in head:
                    part = b'--limit\r\nContent-Disposition: form-data; name="image"; filename="a"'
                    body = part + b"\r\n\r\n" + b"x" * 60_000
                    connection.sendall(b"%x\r\n%s\r\n" % (len(body), body))
                told = b"".join(iter(lambda: connection.recv(65536), b""))
            assert told.startswith(b"HTTP/1.1 413 "), head
            assert b"send fewer or smaller files" in told


def test_who_waits_too_long_is_told_so(idle: Settings, photographs: Photographs):
    with served(replace(idle, patience=0.3)) as here:
        answer = here.ask("/v1/colorize", {}, upload(photographs, "grey.jpg", field="image"))
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert "/v1/jobs" in answer.json()["detail"]
        assert here.service.queue.states() == {}
        assert list(idle.jobs.iterdir()) == []


# Jobs


async def lifespan(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


def test_a_job_from_files_to_results(here: Served, photographs: Photographs):
    files = [
        *upload(photographs, "grey.jpg", "grey16.tif"),
        ("images", "../../grey.jpg", photographs["toned.jpg"].read_bytes()),
        ("images", "broken.png", b"nothing"),
    ]
    answer = here.ask("/v1/jobs", {"saturation": "0.5"}, files)
    assert answer.status == 202
    job = answer.headers["Location"]
    told = here.ended(job)
    assert told["total"] == told["ended"] == 4
    assert told["states"] == {"done": 3, "failed": 1}
    assert told["options"]["saturation"] == 0.5
    assert [item["name"] for item in told["items"]] == [
        "grey.jpg", "grey16.tif", "grey-3.jpg", "broken.png",
    ]  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(here.ask(f"{job}/results").body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [NAME, "grey.jpg", "grey16.tif", "grey-3.jpg"]
        receipts = [Receipt.from_json(line) for line in archive.read(NAME).decode().splitlines()]
        third = archive.read("grey-3.jpg")
    assert [r.status for r in receipts] == ["done", "done", "done", "failed"]
    one = here.ask(f"{job}/results/3")
    assert one.body == third
    assert one.headers["Content-Disposition"] == 'attachment; filename="grey-3.jpg"'
    assert here.ask(f"{job}/results/4").status == 404
    assert here.ask(f"{job}/results/5").status == 404
    part = here.ask(f"{job}?begin=2&count=1").json()
    assert [item["number"] for item in part["items"]] == [2]
    assert part["following"] == 3
    assert here.ask(job, method="DELETE").status == 204
    assert here.ask(job).status == here.ask(f"{job}/events").status == 404
    assert not (here.service.settings.folder(job.rpartition("/")[2])).exists()


def test_a_job_by_path_keeps_the_tree_and_stays_inside(here: Served, root: Path):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    answer = here.ask("/v1/jobs", {"path": "/attic", "if_colour": "copy"})
    job = answer.headers["Location"]
    assert here.ended(job)["states"] == {"done": 2, "copied": 1}
    with zipfile.ZipFile(io.BytesIO(here.ask(f"{job}/results").body)) as archive:
        assert sorted(archive.namelist()) == ["a.jpg", "box/b.tif", "c.jpg", NAME]
        assert archive.read("c.jpg") == (root / "attic" / "c.jpg").read_bytes()
        lines = archive.read(NAME).decode().splitlines()
    names = {Receipt.from_json(line).source for line in lines}
    assert names == {"a.jpg", "box/b.tif", "c.jpg"}
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    for path in ("..", "../..", "way-out", "attic/secret.jpg", "nowhere", "a\0b", "/etc/passwd"):
        assert here.ask("/v1/jobs", {"path": path}).status == 422, path


def test_events_tell_each_end_once_and_go_on_where_they_were(
    here: Served, photographs: Photographs
):
    job = here.ask("/v1/jobs", {}, upload(photographs, "grey.jpg", "grey.png")).headers["Location"]

    def events(seen: str = "") -> list[tuple[str, str, dict[str, Any]]]:
        text = here.ask(f"{job}/events", headers={"Last-Event-ID": seen}).body.decode()
        found: list[tuple[str, str, dict[str, Any]]] = []
        for event in text.strip().split("\n\n"):
            id, kind, data = (line.partition(": ")[2] for line in event.splitlines())
            found.append((id, kind, json.loads(data)))
        return found

    first, second, end = events()
    assert [kind for _, kind, _ in (first, second, end)] == ["item", "item", "end"]
    assert {first[2]["name"], second[2]["name"]} == {"grey.jpg", "grey.png"}
    assert first[2]["receipt"]["status"] == "done"
    assert end[2]["state"] == "ended"
    assert events("1") == [second, end]
    assert events("2") == [end]


def test_a_job_is_stored_before_the_answer_and_done_by_the_next_server(
    idle: Settings, fake_onnx: Path, photographs: Photographs
):
    idle = replace(idle, models={"fake": str(fake_onnx)})
    with served(idle) as here:
        job = here.ask("/v1/jobs", {}, upload(photographs, "grey.jpg")).headers["Location"]
        assert here.ask(job).json()["state"] == "waiting"
        assert here.ask(f"{job}/results").status == 409
        assert here.ask(f"{job}/results/1").status == 409
        with pytest.raises(OutputError, match="another server is at work"):
            asyncio.run(lifespan(create_app(idle)))
    with served(replace(idle, workers=1)) as here:
        assert here.ended(job)["states"] == {"done": 1}


def test_the_same_token_is_the_same_job(idle: Settings, photographs: Photographs):
    with served(idle) as here:
        token, files = {"Idempotency-Key": "attic, May"}, upload(photographs, "grey.jpg")
        first, second = (here.ask("/v1/jobs", {}, files, token).json()["id"] for _ in range(2))
        other = here.ask("/v1/jobs", {}, files).json()["id"]
        assert first == second != other
        assert {path.name for path in idle.jobs.iterdir()} == {first, other}


def test_jobs_that_cannot_be_are_refused(idle: Settings, photographs: Photographs):
    with served(replace(idle, max_files=2, quota=20_000)) as here:
        files = upload(photographs, "grey.jpg")
        assert here.ask("/v1/jobs", {}).status == 422
        assert here.ask("/v1/jobs", {"path": "attic"}).json()["detail"].startswith("This service")
        assert here.ask("/v1/jobs", {"path": "attic"}, files).status == 422
        assert here.ask("/v1/jobs", {}, files * 3).status == 413
        large = [("images", "large.tif", b"x" * 11_000)]
        assert here.ask("/v1/jobs", {}, large).status == 507
        assert list(idle.jobs.iterdir()) == []
        small = [("images", "small.tif", b"x" * 9_000)]
        job = here.ask("/v1/jobs", {}, small).headers["Location"]
        answer = here.ask("/v1/jobs", {}, small * 2)
        assert answer.status == 507
        assert "delete jobs that you have fetched" in answer.json()["detail"]
        assert here.ask(job, method="DELETE").status == 204
        assert here.ask("/v1/jobs", {}, small).status == 202


def test_results_expire_and_orphans_are_swept(
    fake_onnx: Path, photographs: Photographs, tmp_path: Path
):
    settings = Settings(data=tmp_path, models={"fake": str(fake_onnx)}, keep=0)
    with served(settings) as here:
        job = here.ask("/v1/jobs", {}, upload(photographs, "grey.jpg")).headers["Location"]
        assert here.ended(job)["expires"] is not None
        young, old = settings.jobs / "young", settings.jobs / "old"
        young.mkdir()
        old.mkdir()
        os.utime(old, (0, 0))
        sweep(settings, here.service.queue, here.service.album)
        assert here.ask(job).status == 404
        assert list(settings.jobs.iterdir()) == [young]


def test_a_process_that_dies_costs_its_photograph_only(here: Served, photographs: Photographs):
    """Killed whenever it is at the first photograph, which therefore fails; the second is done."""
    vips: Any = pyvips.Image
    large = vips.gaussnoise(4000, 3000, mean=128, sigma=20).cast("uchar").write_to_buffer(".jpg")
    files = [("images", "large.jpg", large), *upload(photographs, "grey.jpg")]
    job = here.ask("/v1/jobs", {}, files).headers["Location"]
    queue, id = here.service.queue, job.rpartition("/")[2]
    limit = time.monotonic() + 120
    while (first := queue.items(id, 1, 1)[0]).receipt is None and time.monotonic() < limit:
        if first.state == "running":
            for process in multiprocessing.active_children():
                process.kill()
        time.sleep(0.02)
    assert first.state == "failed"
    assert first.attempts == 3
    assert "its process was killed" in (first.receipt or "")
    assert here.ended(job)["states"] == {"failed": 1, "done": 1}


def test_what_takes_too_long_fails(fake_onnx: Path, tmp_path: Path):
    vips: Any = pyvips.Image
    large = vips.gaussnoise(4000, 3000, mean=128, sigma=20).cast("uchar").write_to_buffer(".jpg")
    models = {"fake": str(fake_onnx)}
    with served(Settings(data=tmp_path, models=models, limit=0.1, lease=0.3)) as here:
        answer = here.ask("/v1/colorize", {}, [("image", "large.jpg", large)])
        assert answer.status == 422
        assert answer.json()["detail"] == "large.jpg: took longer than 0.1 s"


# Around it


def test_names_of_uploads_are_harmless_and_differ():
    given = ["a.jpg", "A.JPG", "../a.jpg", "C:\\x\\b.tif", "..", "", ".hidden", "é" * 300 + ".png"]
    names = names_of(given)
    assert len({name.casefold() for name in names}) == len(given)
    assert names[:5] == ["a.jpg", "A-2.JPG", "a-3.jpg", "b.tif", "photograph"]
    assert all("/" not in name and not name.startswith(".") for name in names)
    assert all(len(name.encode()) <= 255 for name in names)


def test_keys_let_in_and_keep_apart(idle: Settings, photographs: Photographs):
    with pytest.raises(retint.OptionsError, match="retint serve key add"):
        create_app(replace(idle, keys=True))
    with served(idle) as here:
        engine = here.service.queue.engine
        mine, other = (keys.add(engine, name) for name in ("mine", "other"))
    with served(replace(idle, keys=True)) as here:
        files, me = upload(photographs, "grey.jpg"), {"Authorization": f"Bearer {mine}"}
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {mine}"}):
            answer = here.ask("/v1/jobs", {}, files, wrong)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["Content-Type"] == "application/problem+json"
        job = here.ask("/v1/jobs", {}, files, me).headers["Location"]
        assert here.ask(job, headers=me).status == 200
        them = {"Authorization": f"Bearer {other}"}
        for path in (job, f"{job}/events", f"{job}/results", f"{job}/results/1"):
            assert here.ask(path, headers=them).status == 404
        assert here.ask(job, headers=them, method="DELETE").status == 404
        assert here.ask("/healthz").status == here.ask("/metrics").status == 200
        keys.revoke(here.service.queue.engine, mine.split("_")[1])
        assert here.ask(job, headers=me).status == 401


def test_it_says_how_it_is(here: Served):
    assert here.ask("/healthz").json() == {"status": "ok"}
    assert here.ask("/readyz").json() == {"status": "ready"}
    models = here.ask("/v1/models").json()
    assert [model["name"] for model in models] == ["fake", "default"]
    assert models[0]["license"] == "MIT"
    text = here.ask("/metrics").body.decode()
    assert 'retint_requests_total{method="POST",route="/v1/colorize",status="200"}' in text
    assert 'retint_queue{state="waiting"} 0.0' in text


def test_requests_have_ids_and_lines_in_the_log(here: Served, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO", "retint.serve.entrance.access"):
        answer = here.ask("/v1/jobs/none", headers={"X-Request-ID": "reading-room.7"})
        forged = here.ask("/healthz", headers={"X-Request-ID": 'a"b'})
        about = logged(caplog, "reading-room.7")
    assert answer.status == 404
    assert answer.headers["X-Request-ID"] == answer.json()["request"] == "reading-room.7"
    assert forged.headers["X-Request-ID"] != 'a"b'
    assert about.items() >= {"status": 404, "method": "GET"}.items()


def test_pages_of_other_sites_are_refused(here: Served, photographs: Photographs):
    files = upload(photographs, "grey.jpg")
    for origin in ("http://elsewhere.example", "null", "http://[", here.url + "1"):
        answer = here.ask("/v1/jobs", {}, files, {"Origin": origin})
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert here.ask("/v1/models", headers={"Origin": here.url}).status == 200


def test_an_error_of_its_own_shows_no_trace(idle: Settings, monkeypatch: pytest.MonkeyPatch):
    with served(idle) as here:
        monkeypatch.setattr(here.service.queue, "job", lambda _: 1 / 0)
        answer = here.ask("/v1/jobs/0")
    assert answer.status == 500
    assert "ZeroDivision" not in answer.body.decode()
    assert answer.json()["request"] == answer.headers["X-Request-ID"]


def test_the_description_is_whole(here: Served):
    document = here.ask("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"] or path in ("/healthz",)
    form = document["components"]["schemas"]
    fields = next(s for name, s in form.items() if "colorize" in name and "Body" in name)
    told = set(fields["properties"])
    assert told == {f for f in retint.Options().to_dict() if f not in ("device", "max_pixels")} | {
        "image", "photograph", "hints",
    }  # fmt: skip
    assert fields["properties"]["saturation"]["description"].startswith("Factor on the colours")
    parts = json.dumps(document).split('"#/components/schemas/')[1:]
    assert {part.partition('"')[0] for part in parts} <= form.keys()


# retint.Client


def test_the_client_does_it_all(here: Served, photographs: Photographs, tmp_path: Path):
    client = retint.Client(here.url)
    target = tmp_path / "out.png"
    receipt = client.colorize(photographs["grey16.tif"], target, format="png", quality=None)
    assert receipt.status == "done"
    assert retint.open(target).bits == 16
    assert [model["name"] for model in client.models()] == ["fake", "default"]
    job = client.submit([photographs["grey.jpg"], photographs["colour.jpg"]], token="once")
    assert client.submit([photographs["grey.jpg"]], token="once") == job
    assert {r.source: r.status for r in client.receipts(job)} == {
        "grey.jpg": "done", "colour.jpg": "skipped",
    }  # fmt: skip
    assert client.job(job)["state"] == "ended"
    client.results(job, tmp_path / "results.zip")
    assert zipfile.ZipFile(tmp_path / "results.zip").namelist() == [NAME, "grey.jpg"]
    client.remove(job)
    with pytest.raises(RetintError, match="There is no such job"):
        client.job(job)
    by_path = client.submit(path="attic/a.jpg")
    assert [r.status for r in client.receipts(by_path)] == ["done"]


def test_the_client_says_what_is_wrong(here: Served, photographs: Photographs, tmp_path: Path):
    client, source, target = retint.Client(here.url), photographs["grey.jpg"], tmp_path / "out"
    with pytest.raises(InputError, match="takes no hints"):
        client.colorize(source, target, hints=[retint.Hint(0.5, 0.5, 10, 10)])
    with pytest.raises(InputError, match="saturation"):
        client.colorize(source, target, saturation=9)
    with pytest.raises(RetintError, match=r"nowhere\.jpg"):
        client.colorize(tmp_path / "nowhere.jpg", target)
    with pytest.raises(RetintError, match="refused"):
        retint.Client("http://127.0.0.1:1").models()
    assert list(tmp_path.iterdir()) == []
