"""The OpenAPI document against the service: requests made from it by schemathesis, right and wrong.

Every answer must be one that the document tells of, in the form that it tells; none may be 500.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)
pytest.importorskip("schemathesis", exc_type=ImportError)

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from mutations import originals
from retint.serve import Settings
from served import Served, served


@dataclass
class House:
    """A service, and what lies there."""

    here: Served
    job: str
    photograph: str
    picture: bytes


@pytest.fixture(scope="module")
def house(fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("root")
    (root / "a.png").write_bytes(originals()["grey.png"])
    models = {"fake": str(fake_onnx)}
    data = tmp_path_factory.mktemp("data")
    with served(Settings(data=data, root=root, models=models, device="cpu")) as here:
        files = [("images", "a.png", originals()["grey.png"])]
        job = here.ask("/v1/jobs", {}, files).headers["Location"]
        here.ended(job)
        kept = here.ask("/v1/photographs", {}, [("image", "a.png", files[0][2])])
        yield House(here, job.rpartition("/")[2], kept.json()["id"], files[0][2])


SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
Mode = schemathesis.GenerationMode
CHECKS = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)


@pytest.mark.parametrize("mode", [Mode.POSITIVE, Mode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize(
    "count", [8, pytest.param(100, marks=[pytest.mark.full, pytest.mark.timeout(3600)])],
    ids=["few", "many"],
)  # fmt: skip
def test_answers_are_those_that_are_described(house: House, mode: Any, count: int):
    document = schemathesis.openapi.from_url(f"{house.here.url}/openapi.json")
    bound = settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        suppress_health_check=SLOW, phases=(Phase.generate,),
    )  # fmt: skip
    for found in document.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @bound
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            check(house, case)

        try:
            ask()
        except Unsatisfiable:  # nothing can be wrong with a request that takes nothing
            assert mode is Mode.NEGATIVE


def check(house: House, case: Any) -> None:
    """Ask, half of the time about something that is there, and compare with the document."""
    id = (case.path_parameters or {}).get("id")
    if id is not None and case.method != "DELETE" and len(str(id)) % 2:
        kept = "photographs" in case.path
        case.path_parameters["id"] = house.photograph if kept else house.job
    if isinstance(case.body, dict):
        for field, content in case.body.items():
            if isinstance(content, bytes) and len(content) % 2:
                case.body[field] = house.picture
    case.call_and_validate(checks=CHECKS, timeout=60)
