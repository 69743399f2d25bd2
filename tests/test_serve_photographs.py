"""Photographs kept to be looked at: seen as their results will be, corrected, and coloured."""

import asyncio
import io
import json
import os
import shutil
import signal
import socket
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import pyvips

pytest.importorskip("fastapi", exc_type=ImportError)

from sqlalchemy import text

from hinted import save_hinted
from retint import predict
from retint.colorizer import Hint, Options
from retint.errors import InputError
from retint.journal import Receipt
from retint.photo import Photo, upright
from retint.serve import Settings
from retint.serve.problems import Problem
from retint.serve.settings import DAY
from retint.serve.store import keys
from retint.serve.store.database import open_database
from retint.serve.store.sweep import sweep
from retint.serve.workers import looking
from retint.serve.workers.desk import Desk
from retint.serve.workers.looking import Comparing, Opened, Opening, Sampling, Seeing, Table
from served import Answer, Served, served

Photographs = dict[str, Path]
MOST = 500_000_000


@pytest.fixture(scope="module")
def hinted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_hinted(tmp_path_factory.mktemp("models") / "hinted.onnx")


@pytest.fixture(scope="module")
def here(
    fake_onnx: Path, hinted: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    models = {"fake": str(fake_onnx), "hinted": str(hinted), "default": "default"}
    with served(Settings(tmp_path_factory.mktemp("data"), models=models, device="cpu")) as here:
        yield here


def keep(here: Served, path: Path, name: str = "", **more: Any) -> Answer:
    files = [("image", name or path.name, path.read_bytes())]
    return here.ask("/v1/photographs", {}, files, **more)


def decoded(data: bytes) -> np.ndarray:
    vips: Any = pyvips.Image
    return vips.new_from_buffer(data, "").numpy()


def seen(here: Served, place: str, **query: Any) -> np.ndarray:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    answer = here.ask(f"{place}/preview?{words}", headers={"Accept": "image/png"})
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "image/png"
    return decoded(answer.body)


def turned(path: Path, folder: Path, orientation: int) -> Path:
    """A photograph that is stored another way up."""
    vips: Any = pyvips.Image
    image = vips.new_from_file(str(path)).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.write_to_file(str(folder / path.name))
    return folder / path.name


# Kept


def test_it_is_opened_and_kept(here: Served, photographs: Photographs, tmp_path: Path):
    before = here.service.queue.usage()
    path = turned(photographs["toned.jpg"], tmp_path, 6)
    answer = keep(here, path, "../attic/sepia.jpg")
    assert answer.status == 201
    view = answer.json()
    assert answer.headers["Location"] == f"/v1/photographs/{view['id']}"
    id = view.pop("id")
    assert view.pop("created") < view.pop("expires")
    assert view == {
        "name": "sepia.jpg", "width": 96, "height": 128, "pages": 1, "format": "jpeg",
        "tone": "toned", "marked": False, "bytes": path.stat().st_size,
    }  # fmt: skip
    assert here.service.queue.usage() - before == path.stat().st_size
    place = answer.headers["Location"]
    assert here.ask(place).json() == answer.json()
    assert here.ask(place, method="DELETE").status == 204
    for method, below in (("GET", ""), ("DELETE", ""), ("GET", "/preview"), ("GET", "/palette")):
        gone = here.ask(f"{place}{below}", method=method)
        assert gone.status == 404
        assert "no such photograph" in gone.json()["detail"]
    assert here.service.queue.usage() == before
    assert not (here.service.settings.photographs / id).exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<svg onload='alert(1)'/>", "not a picture"),
        (b"\xff\xd8\xff\xe0 no more", "cannot be|is damaged|premature|not"),
    ],
)
def test_what_is_no_photograph_is_not_kept(here: Served, content: bytes, words: str):
    folders = set(here.service.settings.photographs.iterdir())
    answer = here.ask("/v1/photographs", {}, [("image", "a.jpg", content)])
    assert answer.status == 422
    detail = answer.json()["detail"]
    assert detail.startswith("a.jpg: ")
    assert str(here.service.settings.data) not in detail
    assert set(here.service.settings.photographs.iterdir()) == folders


def test_one_needs_room(fake_onnx: Path, photographs: Photographs, tmp_path: Path):
    settings = Settings(tmp_path, models={"fake": str(fake_onnx)}, quota=3000)
    with served(settings) as here:
        assert keep(here, photographs["grey.jpg"]).status == 201
        assert keep(here, photographs["grey.jpg"]).status == 507
        assert len(list(settings.photographs.iterdir())) == 1


def test_they_go_when_nobody_looks(fake_onnx: Path, photographs: Photographs, tmp_path: Path):
    with served(Settings(tmp_path, models={"fake": str(fake_onnx)})) as here:
        album, settings = here.service.album, here.service.settings
        first, second = (keep(here, photographs["grey.jpg"]).json()["id"] for _ in range(2))
        with album.engine.begin() as connection:
            told = text("UPDATE photographs SET expires = :then WHERE id = :id")
            connection.execute(told, {"then": time.time() + 600, "id": first})
            connection.execute(told, {"then": time.time() - 1, "id": second})
        assert here.ask(f"/v1/photographs/{first}/preview").status == 200
        kept = datetime.fromisoformat(here.ask(f"/v1/photographs/{first}").json()["expires"])
        assert kept.timestamp() > time.time() + DAY - 600
        assert here.ask(f"/v1/photographs/{second}").status == 404
        swept = sweep(settings, here.service.queue, album)
        assert (swept.jobs, swept.photographs) == ([], [second])
        assert [path.name for path in settings.photographs.iterdir()] == [first]
        left = settings.photographs / "left"
        left.mkdir()
        sweep(settings, here.service.queue, album)
        assert left.is_dir()  # it may be an upload that is under way
        os.utime(left, (0, 0))
        sweep(settings, here.service.queue, album)
        assert not left.exists()


def test_they_outlive_the_server_and_belong_to_a_key(
    fake_onnx: Path, photographs: Photographs, tmp_path: Path
):
    settings = Settings(tmp_path, models={"fake": str(fake_onnx)}, keys=True)
    engine = open_database(settings.url)
    ours, theirs = (
        {"Authorization": f"Bearer {keys.add(engine, name)}"} for name in ("ours", "theirs")
    )
    engine.dispose()
    with served(settings) as here:
        assert keep(here, photographs["grey.jpg"]).status == 401
        place = keep(here, photographs["grey.jpg"], headers=ours).headers["Location"]
    with served(settings) as here:
        assert here.ask(f"{place}/preview", headers=ours).status == 200
        chosen = json.dumps([{"id": place.rpartition("/")[2]}])
        for asked in (
            here.ask(f"{place}/preview", headers=theirs),
            here.ask(place, headers=theirs, method="DELETE"),
            here.ask("/v1/jobs", {"photographs": chosen}, headers=theirs),
            here.ask("/v1/colorize", {"photograph": place.rpartition("/")[2]}, headers=theirs),
        ):
            assert asked.status == 404
        assert here.ask(place, headers=ours).status == 200


# Seen


@pytest.mark.parametrize("name", ["grey.png", "toned.jpg", "colour.jpg"])
@pytest.mark.parametrize("model", ["fake", "default"])
def test_a_preview_has_the_pixels_of_the_result(
    here: Served, photographs: Photographs, tmp_path: Path, name: str, model: str
):
    look: dict[str, str] = {
        "model": model, "saturation": "1.4", "mute_uncertain": "0.3", "keep_tone": "true",
        "alternative": "2" if model == "default" else "0", "longest": "96",
    }  # fmt: skip
    path = turned(photographs[name], tmp_path, 8)
    form = {**look, "if_colour": "recolour", "format": "png"}
    answer = here.ask("/v1/colorize", form, [("image", name, path.read_bytes())])
    assert answer.status == 200
    result = upright(decoded(answer.body), 8)
    place = keep(here, path).headers["Location"]
    assert np.array_equal(seen(here, place, **look), result)
    part = {"left": 10 / 96, "top": 7 / 128, "width": 80 / 96, "height": 100 / 128}
    assert np.array_equal(seen(here, place, **look, **part), result[7:107, 10:90])


def test_what_is_shown(here: Served, photographs: Photographs):
    place = keep(here, photographs["toned.jpg"]).headers["Location"]
    source = decoded(photographs["toned.jpg"].read_bytes())
    assert np.array_equal(seen(here, place, show="source"), source)
    grey = seen(here, place, show="grey")
    assert (grey == grey[..., :1]).all()
    without = seen(here, place, saturation=0)
    assert np.array_equal(grey, without)
    veil = seen(here, place, show="confidence")
    assert veil.shape == (96, 128, 4)
    assert (veil[..., :3] == 255).all()
    light = grey[..., 0].astype(float)  # the fake is the surer, the lighter it is
    assert np.corrcoef(light.ravel(), veil[..., 3].ravel())[0, 1] < -0.9
    assert seen(here, place, side=32).shape == (24, 32, 3)
    assert seen(here, place, side=32, left=0.5, width=0.25).shape == (32, 11, 3)


@pytest.mark.parametrize(
    ("accept", "media", "loader"),
    [
        ("*/*", "image/webp", "webpload_buffer"),
        ("image/avif,image/webp,image/*;q=0.8", "image/webp", "webpload_buffer"),
        ("image/jpeg", "image/jpeg", "jpegload_buffer"),
        ("text/html;q=0.9, image/png", "image/png", "pngload_buffer"),
    ],
)
def test_accept_chooses_the_format(
    here: Served, photographs: Photographs, accept: str, media: str, loader: str
):
    place = keep(here, photographs["grey.jpg"]).headers["Location"]
    for show in ("colour", "confidence"):
        answer = here.ask(f"{place}/preview?show={show}", headers={"Accept": accept})
        assert (answer.status, answer.headers["Content-Type"]) == (200, media)
        assert answer.headers["Cache-Control"] == "private, max-age=3600"
        assert "Accept" in answer.headers["Vary"]
        vips: Any = pyvips.Image
        assert vips.new_from_buffer(answer.body, "").get("vips-loader") == loader
        marked = Photo.open(answer.body).is_marked
        assert marked == (show == "colour")  # what somebody takes away says what it is
    assert here.ask(f"{place}/preview", headers={"Accept": "image/tiff"}).status == 406


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("side=15", "side"),
        ("side=4097", "side"),
        ("left=-0.1", "left"),
        ("width=nan", "width"),
        ("show=everything", "show"),
        ("saturation=9", "saturation"),
        ("alternative=9", "alternative"),
        ("page=1", "has 1 pages"),
        ("model=none", "no model none"),
        ("hints=x", "no JSON list"),
        ('hints=[{"x":0.5,"y":0.5,"a":1,"b":1}]', "fake takes no hints"),
    ],
)
def test_questions_without_sense(here: Served, photographs: Photographs, query: str, words: str):
    place = keep(here, photographs["grey.jpg"]).headers["Location"]
    answer = here.ask(f"{place}/preview?{query}")
    assert answer.status == 422
    assert words in answer.json()["detail"]


def test_every_page_is_seen(here: Served, photographs: Photographs, tmp_path: Path):
    vips: Any = pyvips.Image
    pages = [
        vips.new_from_file(str(photographs["grey.png"])).rot(angle) for angle in ("d0", "d180")
    ]
    vips.arrayjoin(pages, across=1).tiffsave(str(tmp_path / "two.tif"), page_height=96)
    answer = keep(here, tmp_path / "two.tif")
    assert answer.json()["pages"] == 2
    place = answer.headers["Location"]
    first, second = (seen(here, place, page=page, show="grey") for page in range(2))
    assert np.array_equal(first, second[::-1, ::-1])
    assert seen(here, place, page=1).shape == (96, 128, 3)


def test_hints_are_followed(here: Served, photographs: Photographs):
    place = keep(here, photographs["grey.png"]).headers["Location"]
    hint = {"x": 0.7, "y": 0.35, "a": 60.0, "b": -50.0, "radius": 0.05}
    told = json.dumps([hint]).replace(" ", "")
    plain, given = (
        seen(here, place, model="hinted", **more).astype(int) for more in ({}, {"hints": told})
    )
    there = slice(28, 40), slice(84, 96)
    assert np.abs(given[there] - plain[there]).mean() > 20
    assert np.abs(given[80:] - plain[80:]).mean() < 1
    form = {"photograph": place.rpartition("/")[2], "model": "hinted", "hints": told}
    answer = here.ask("/v1/colorize", form)
    assert np.array_equal(decoded(answer.body), given)
    assert Receipt.from_json(answer.headers["Retint-Receipt"]).hints == (hint,)


# Alternatives, palettes


def test_alternatives_have_numbers(here: Served, photographs: Photographs):
    place = keep(here, photographs["grey.png"]).headers["Location"]
    query = "model=default&longest=64"
    many = here.ask(f"{place}/alternatives?{query}&count=9").json()["alternatives"]
    few = here.ask(f"{place}/alternatives?{query}&count=3").json()["alternatives"]
    assert [one["number"] for one in many] == list(range(9))
    assert few == many[:3]
    assert many[0]["apart"] == 0
    assert all(one["apart"] > 0 for one in many[1:])
    pictures = [
        seen(here, place, model="default", longest=64, alternative=number).astype(int)
        for number in range(3)
    ]
    assert all(np.abs(other - pictures[0]).mean() > 0.2 for other in pictures[1:])
    answer = here.ask(f"{place}/alternatives?model=fake")
    assert answer.status == 409
    assert "fake has one answer" in answer.json()["detail"]
    assert here.ask(f"{place}/preview?model=fake&alternative=1").status == 409
    told = {model["name"]: model for model in here.ask("/v1/models").json()}
    about = {n: (m["hints"], m["alternatives"], m["working_size"]) for n, m in told.items()}
    assert about["fake"] == (False, False, 256)
    assert about["hinted"] == (True, True, 128)
    assert about["default"][1]


def test_a_reference_gives_its_palette(here: Served, photographs: Photographs):
    place = keep(here, photographs["colour.jpg"]).headers["Location"]
    colours = here.ask(f"{place}/palette?count=5").json()["colours"]
    assert 3 <= len(colours) <= 5
    assert [c["share"] for c in colours] == sorted((c["share"] for c in colours), reverse=True)
    assert 0.5 < sum(c["share"] for c in colours) <= 1.0001
    assert min(c["b"] for c in colours) < -10  # the sky
    assert max(c["a"] for c in colours) > 30  # the disc
    assert all(len(c["rgb"]) == 7 and c["rgb"][0] == "#" for c in colours)
    grey = keep(here, photographs["grey.jpg"]).headers["Location"]
    answer = here.ask(f"{grey}/palette")
    assert (answer.status, answer.json()["detail"]) == (422, "grey.jpg: has no colours to take")


# Coloured


def test_a_kept_one_is_coloured_as_if_it_were_sent(here: Served, photographs: Photographs):
    place = keep(here, photographs["grey16.tif"]).headers["Location"]
    form = {"model": "fake", "saturation": "1.2"}
    sent = here.ask(
        "/v1/colorize", form, [("image", "grey16.tif", photographs["grey16.tif"].read_bytes())]
    )
    kept = here.ask("/v1/colorize", {**form, "photograph": place.rpartition("/")[2]})
    assert kept.status == 200
    assert kept.body == sent.body
    own = {"seconds": 0.0, "time": ""}
    assert replace(Receipt.from_json(kept.headers["Retint-Receipt"]), **own) == replace(
        Receipt.from_json(sent.headers["Retint-Receipt"]), **own
    )
    assert here.ask(place).status == 200
    assert here.ask("/v1/colorize", {"photograph": "0123"}).status == 404
    assert here.ask("/v1/colorize", form).status == 422


def test_each_of_a_job_has_its_own_look(here: Served, photographs: Photographs):
    ids = [
        keep(here, photographs[name]).json()["id"] for name in ("grey.png", "grey.png", "toned.jpg")
    ]
    hint = {"x": 0.5, "y": 0.5, "a": 40.0, "b": 10.0, "radius": 0.1}
    chosen = [
        {"id": ids[0]},
        {"id": ids[1], "options": {"saturation": 2, "model": "hinted"}, "hints": [hint]},
        {"id": ids[2], "options": {"keep_tone": True}, "hints": []},
    ]
    form = {"model": "fake", "format": "png", "photographs": json.dumps(chosen)}
    answer = here.ask("/v1/jobs", form, headers={"Idempotency-Key": "looks"})
    assert answer.status == 202
    again = here.ask("/v1/jobs", form, headers={"Idempotency-Key": "looks"})
    assert again.json()["id"] == answer.json()["id"]
    previews = [
        seen(here, f"/v1/photographs/{ids[0]}"),
        seen(
            here, f"/v1/photographs/{ids[1]}", saturation=2, model="hinted",
            hints=json.dumps([hint]).replace(" ", ""),
        ),
        seen(here, f"/v1/photographs/{ids[2]}", keep_tone=True),
    ]  # fmt: skip
    for id in ids:  # the job has them still
        assert here.ask(f"/v1/photographs/{id}", method="DELETE").status == 204
    told = here.ended(answer.headers["Location"])
    assert told["states"] == {"done": 3}
    names = [item["name"] for item in told["items"]]
    assert names == ["grey.png", "grey-2.png", "toned.jpg"]
    receipts = [item["receipt"] for item in told["items"]]
    assert [r["options"]["saturation"] for r in receipts] == [1, 2, 1]
    assert [r["options"]["keep_tone"] for r in receipts] == [False, False, True]
    assert [r["model"] for r in receipts] == ["fake", "hinted", "fake"]
    assert [r["hints"] for r in receipts] == [[], [hint], []]
    with zipfile.ZipFile(io.BytesIO(here.ask(f"{answer.headers['Location']}/results").body)) as z:
        results = [decoded(z.read(name)) for name in z.namelist() if name.endswith(".png")]
    assert all(map(np.array_equal, results, previews))


@pytest.mark.parametrize(
    ("photographs_", "status", "words"),
    [
        ("x", 422, "no JSON list"),
        ("{}", 422, "no JSON list"),
        ("[1]", 422, "no JSON list"),
        ('[{"id": 1}]', 422, "no JSON list"),
        ('[{"id": "a", "more": 1}]', 422, "no JSON list"),
        ("[]", 422, "no photographs"),
        ('[{"id": "0123"}]', 404, "no such photograph"),
        ('[{"id": "../jobs"}]', 404, "no such photograph"),
        ('[{"id": "ID", "options": {"format": "png"}}]', 422, "no format of its own"),
        ('[{"id": "ID", "options": {"device": "cuda"}}]', 422, "no device of its own"),
        ('[{"id": "ID", "options": {"model": "none"}}]', 422, "no model none"),
        ('[{"id": "ID", "options": {"model": []}}]', 422, "no model"),
        ('[{"id": "ID", "options": {"saturation": 9}}]', 422, "saturation is 9"),
        ('[{"id": "ID", "options": {"colour": 9}}]', 422, "no option colour"),
        ('[{"id": "ID", "options": 3}]', 422, "no JSON list"),
        ('[{"id": "ID", "hints": 3}]', 422, "hints are no JSON list"),
        ('[{"id": "ID", "hints": [{"x": 7}]}]', 422, "hint"),
    ],
)
def test_jobs_that_cannot_be(
    here: Served, photographs: Photographs, photographs_: str, status: int, words: str
):
    id = keep(here, photographs["grey.jpg"]).json()["id"]
    answer = here.ask("/v1/jobs", {"photographs": photographs_.replace("ID", id)})
    assert answer.status == status
    assert words in answer.json()["detail"]
    assert here.ask("/v1/jobs", {"photographs": "[]", "path": "a"}).status == 422


# The desk


def test_a_process_that_dies_is_replaced(here: Served, photographs: Photographs):
    place = keep(here, photographs["grey.jpg"]).headers["Location"]
    before = seen(here, place)
    (seat,) = here.service.desk._seats
    os.kill(seat._process.process.pid, signal.SIGKILL)
    seat._process.process.join()
    assert np.array_equal(seen(here, place), before)


def desk(fake_onnx: Path, **about: Any) -> Desk:
    return Desk(Settings(Path(), models={"fake": str(fake_onnx)}, device="cpu", **about))


def client(*, gone: bool = False) -> Any:
    async def is_disconnected() -> bool:
        return gone

    return SimpleNamespace(is_disconnected=is_disconnected)


def test_what_takes_too_long_is_ended(fake_onnx: Path, photographs: Photographs, tmp_path: Path):
    desks = desk(fake_onnx, patience=0.01)
    vips: Any = pyvips.Image
    vips.black(6000, 4000).pngsave(str(tmp_path / "large.png"))
    small, large = photographs["grey.jpg"], tmp_path / "large.png"
    with pytest.raises(Problem, match=r"large.png: took longer than 0.01 s"):
        asyncio.run(desks.ask(client(), Opening(large, MOST), "large.png"))
    for seat in desks._seats:
        seat._patience = 60
    assert asyncio.run(desks.ask(client(), Opening(small, MOST), "small.jpg")).tone == "grey"
    desks.stop()


def test_nothing_is_begun_for_those_who_have_gone(fake_onnx: Path, photographs: Photographs):
    desks = desk(fake_onnx)
    with pytest.raises(Problem, match="client has left"):
        asyncio.run(desks.ask(client(gone=True), Opening(photographs["grey.jpg"], MOST), "a.jpg"))
    assert desks._seats[0]._process is None
    desks.stop()


def test_nothing_is_begun_for_connections_that_were_closed(
    here: Served, photographs: Photographs, monkeypatch: pytest.MonkeyPatch
):
    place = keep(here, photographs["grey.jpg"]).headers["Location"]
    (seat,) = here.service.desk._seats
    begun: list[int] = []
    answer = seat.ask

    def ask(question: Seeing) -> Any:
        begun.append(question.side)
        return answer(question)

    monkeypatch.setattr(seat, "ask", ask)
    with ThreadPoolExecutor(2) as others:
        seat._lock.acquire()
        first = others.submit(here.ask, f"{place}/preview?side=21")
        while not begun:
            time.sleep(0.01)
        address = here.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1]))) as connection:
            head = f"GET {place}/preview?side=22 HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(head.encode())
            while len(seat.turn._waiters or ()) < 1:
                time.sleep(0.01)
        third = others.submit(here.ask, f"{place}/preview?side=23")
        while len(seat.turn._waiters or ()) < 2:
            time.sleep(0.01)
        seat._lock.release()
        assert (first.result().status, third.result().status) == (200, 200)
    assert begun == [21, 23]


def test_one_waits_for_the_other_but_not_for_ever(fake_onnx: Path, photographs: Photographs):
    desks = desk(fake_onnx, patience=0.2)
    question = Opening(photographs["grey.jpg"], MOST)

    async def ask() -> None:
        async with desks._seats[0].turn:
            with pytest.raises(Problem, match="Too many photographs") as refused:
                await desks.ask(client(), question, "a.jpg")
            assert refused.value.status_code == 503

    asyncio.run(ask())
    with pytest.raises(Problem, match="keeps no photographs"):
        asyncio.run(desk(fake_onnx, desks=0).ask(client(), question, "a.jpg"))


class Counted:
    """A model that counts how often it is asked."""

    def __init__(self, path: Path) -> None:
        self.model = predict.load(path, device="cpu")
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, *given: Any, **more: Any) -> Any:
        self.asked += 1
        return self.model(*given, **more)


def test_the_network_is_asked_again_only_for_another_guess(hinted: Path, photographs: Photographs):
    model = Counted(hinted)
    opened = Opened(photographs["grey.jpg"], MOST, lambda _: cast(Any, model))

    def see(hints: tuple[Hint, ...] = (), **options: Any) -> None:
        chosen = Options(**options)
        question = Seeing(
            photographs["grey.jpg"], chosen, hints, 0, "colour", (0, 0, 1, 1), 64, "png"
        )
        question.answer(opened)

    see()
    see(saturation=2)
    see(mute_uncertain=1)
    see(keep_tone=True)
    see()
    assert model.asked == 1
    see(longest=64)
    assert model.asked == 2
    see((Hint(0.5, 0.5, 10, 10),))  # with the colour and without
    assert model.asked == 4
    see(model="other")
    assert model.asked == 5
    see(alternative=1)
    see(alternative=8, saturation=0.5)
    Comparing(photographs["grey.jpg"], Options(), (), 0, 4).answer(opened)
    assert model.asked == 6
    see((Hint(0.5, 0.5, 10, 10),), saturation=0.2)
    see()
    assert model.asked == 6


def test_the_table_has_room_for_a_few(
    hinted: Path, photographs: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = Counted(hinted)
    table = Table(lambda _: cast(Any, model), room=800_000)
    paths = [Path(shutil.copy(photographs["grey.png"], tmp_path / f"{n}.png")) for n in range(5)]

    def look(path: Path) -> bytes:
        question = Seeing(path, Options(), (), 0, "colour", (0, 0, 1, 1), 4096, "png")
        picture = question.answer(table.opened(path, MOST))
        table.tidy()
        return picture

    pictures = [look(path) for path in paths]
    assert list(table._opened) == paths[-len(table._opened) :]
    assert 1 <= len(table._opened) < 5
    assert [look(path) for path in paths] == pictures
    assert model.asked > 5  # what was closed is guessed anew
    assert table._opened[paths[-1]].nbytes > 0
    released = table._opened[paths[-1]]
    released.release()
    asked = model.asked
    assert look(paths[-1]) == pictures[-1]
    assert model.asked == asked  # a guess stays with the small picture


def test_a_guess_is_the_results_also_after_pages_were_let_go(hinted: Path, tmp_path: Path):
    """Above 512 pixels the guess is made from the page at full size, which a result has decoded."""
    from conftest import scene

    grey = np.rint(255 * scene(900, 1200).mean(axis=2)).astype(np.uint8)
    vips: Any = pyvips.Image
    vips.new_from_array(grey).jpegsave(str(tmp_path / "a.jpg"), Q=90)
    model: Any = predict.load(hinted, device="cpu")
    part = (0.25, 0.25, 0.5, 0.5)
    question = Seeing(tmp_path / "a.jpg", Options(longest=640), (), 0, "colour", part, 4096, "png")
    fresh = question.answer(Opened(question.path, MOST, lambda _: model))
    opened = Opened(question.path, MOST, lambda _: model)
    replace(question, options=Options()).answer(opened)
    opened.release()
    assert question.answer(opened) == fresh


def test_palettes_need_colour(hinted: Path, photographs: Photographs):
    model: Any = predict.load(hinted, device="cpu")
    for name in ("grey.jpg", "grey16.tif"):
        opened = Opened(photographs[name], MOST, lambda _: model)
        with pytest.raises(InputError, match="no colours"):
            Sampling(photographs[name], MOST, 8).answer(opened)
    assert looking.encoded(np.zeros((4, 4, 3), np.uint8), "webp")[:4] == b"RIFF"
