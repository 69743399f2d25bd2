"""Kept photographs chosen for a job, each with options and hints of its own."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, cast

from fastapi import Form

from retint.colorizer import Hint, Options
from retint.errors import OptionsError
from retint.serve.api.forms import changed, hints_from
from retint.serve.api.intake import Chosen
from retint.serve.problems import Problem
from retint.serve.service import Service, kept

ChosenForm = Annotated[
    str | None,
    Form(
        description="Instead of files: a JSON list of kept photographs, objects with `id` and,"
        " where they differ from the job's, `options` (an object) and `hints` (a list). The format"
        " is the job's for all.",
        examples=['[{"id": "5f0c6a3fd3a6cf4ab9f7d0a1", "options": {"saturation": 1.2}}]'],
    ),
]


def read_chosen(
    service: Service, key: str, options: Options, hints: Sequence[Hint], text: str
) -> list[Chosen]:
    """The photographs of a `photographs` field. Raises OptionsError, Problem."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionsError(_NO_LIST) from error
    if not isinstance(listed, list):
        raise OptionsError(_NO_LIST)
    chosen, most = cast(list[Any], listed), service.settings.max_files
    if len(chosen) > most:
        raise Problem(413, f"{len(chosen)} photographs are more than the {most} of one job.")
    return [_read(service, key, options, hints, one) for one in chosen]


def _read(
    service: Service, key: str, options: Options, hints: Sequence[Hint], given: Any
) -> Chosen:
    own = cast(dict[str, Any], given) if isinstance(given, dict) else {}
    id, theirs = own.get("id"), own.get("options", {})
    known = own.keys() <= {"id", "options", "hints"} and isinstance(theirs, dict)
    if not known or not isinstance(id, str):
        raise OptionsError(_NO_LIST)
    return Chosen(
        kept(service, key, id),
        changed(service, options, cast(dict[str, Any], theirs)),
        hints_from(own["hints"]) if "hints" in own else hints,
    )


_NO_LIST = 'photographs are no JSON list of objects like {"id": "5f0c", "options": {}, "hints": []}'
