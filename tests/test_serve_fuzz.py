"""Broken files of every kind, sent by the hundred: none is a 500, and nothing grows."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

from mutations import mutants, originals
from retint.serve import Settings
from served import Served, served

MB = 1 << 20
GROWTH = 40 * MB


@pytest.fixture(scope="module")
def here(fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = Settings(
        data=tmp_path_factory.mktemp("data"), models={"fake": str(fake_onnx)}, device="cpu",
        memory=1024 * MB, max_pixels=50_000_000, limit=30,
    )  # fmt: skip
    with served(settings) as here:
        yield here


def resident(here: Served) -> dict[str, int]:
    """Memory of the process that colours and of the one that shows, and of the server, in bytes."""
    import multiprocessing
    import os

    ids = [os.getpid(), *(p.pid for p in multiprocessing.active_children() if p.pid)]
    found: dict[str, int] = {}
    for id in ids:
        told = Path(f"/proc/{id}/status")
        match = re.search(r"VmRSS:\s+(\d+) kB", told.read_text() if told.exists() else "")
        found[str(id)] = 1024 * int(match[1]) if match else 0
    return found


@pytest.mark.parametrize(
    ("seed", "count"),
    [
        pytest.param(1912, 66, id="few"),
        pytest.param(7, 3000, id="many", marks=[pytest.mark.full, pytest.mark.timeout(3600)]),
    ],
)
def test_broken_uploads_are_refused_in_words(here: Served, seed: int, count: int):
    answers: Counter[tuple[str, int]] = Counter()
    warm: dict[str, int] = {}
    for number, (name, data) in enumerate(mutants(seed, count)):
        form = {"if_colour": ("recolour", "copy")[number % 2]}
        if number % 3:
            answer = here.ask("/v1/colorize", form, [("image", name, data)])
        else:
            answer = here.ask("/v1/photographs", {}, [("image", name, data)])
        answers[answer.headers["Content-Type"], answer.status] += 1
        assert answer.status in (200, 201, 422), (name, answer.body)
        if answer.status == 422:
            told = answer.json()
            assert told["detail"].isprintable()
            assert str(here.service.settings.data) not in answer.body.decode()
        elif answer.status == 201:
            id = answer.json()["id"]
            shown = here.ask(f"/v1/photographs/{id}/preview?side=200&page={number % 2}")
            assert shown.status in (200, 422), (name, shown.body)
            assert here.ask(f"/v1/photographs/{id}/palette").status in (200, 422), name
            assert here.ask(f"/v1/photographs/{id}", method="DELETE").status == 204
        if number == count // 3:
            warm = resident(here)
    statuses = {status for _, status in answers}
    assert statuses == {200, 201, 422}, answers
    grown = {id: size - warm[id] for id, size in resident(here).items() if id in warm}
    assert max(grown.values()) < GROWTH, grown
    assert not any(here.service.settings.jobs.iterdir())
    assert here.service.queue.states() == {}
    whole = [("image", "a.png", originals()["grey.png"])]
    assert here.ask("/v1/colorize", {}, whole).status == 200
