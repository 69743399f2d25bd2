"""Options and hints as fields of a form or parts of a query: nothing is typed twice."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from typing import Annotated, Any, cast, get_type_hints

from fastapi import Depends, Form, Query, Request

from retint.colorizer import Hint, Options
from retint.errors import OptionsError
from retint.serve.problems import Problem
from retint.serve.service import Service

OWN = ("device", "max_pixels")
"""Options that are the house's to decide, not the client's."""

OTHERS = {"image", "images", "photograph", "photographs", "path", "hints"}

SEEN = ("model", "longest", "saturation", "mute_uncertain", "keep_tone", "alternative")
"""Options that change what a photograph looks like, whatever becomes of it."""

MOST_HINTS = 200
"""They stand in the receipt, and that in a header."""

_KINDS = get_type_hints(Options)


async def _options(request: Request, **given: Any) -> Options:
    """The options of a form, with the house's own. Raises OptionsError, Problem."""
    service: Service = request.app.state.service
    unknown = sorted((await request.form()).keys() - given.keys() - OTHERS)
    if unknown:
        raise OptionsError(f"there is no option {', '.join(unknown)}")
    return _chosen(service, given)


async def _looks(request: Request, **given: Any) -> Options:
    """The options of a query, with the house's own. Raises OptionsError, Problem."""
    return _chosen(request.app.state.service, given)


def changed(service: Service, options: Options, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a photograph's own options, plain values by name, that differ from its job's.

    Raises OptionsError, Problem.
    """
    unknown = sorted({"format", *OWN} & given.keys())
    if unknown:
        raise OptionsError(f"one photograph of a job has no {', '.join(unknown)} of its own")
    _check_model(service, given.get("model", options.model))
    theirs = options.to_dict()
    own = Options.from_dict({**theirs, **given}).to_dict()
    return {name: value for name, value in own.items() if value != theirs[name]}


def _chosen(service: Service, given: Mapping[str, Any]) -> Options:
    settings = service.settings
    known = {name: value for name, value in given.items() if value is not None}
    known.setdefault("model", next(iter(settings.models)))
    _check_model(service, known["model"])
    return Options(**known, device=settings.device, max_pixels=settings.max_pixels)


def _check_model(service: Service, model: Any) -> None:
    if model not in list(service.settings.models):
        names = ", ".join(service.settings.models)
        raise Problem(422, f"There is no model {model} here, only {names}: see /v1/models.")


def _parameter(item: Field[Any], place: Callable[..., Any]) -> inspect.Parameter:
    kind: Any = _KINDS[item.name]
    default: Any = item.default
    if item.name == "model":
        kind, default = str | None, None
    about = place(
        description=item.metadata["help"],
        ge=item.metadata.get("low"),
        le=item.metadata.get("high"),
    )
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, about],
    )


def _signature(names: list[str], place: Callable[..., Any]) -> inspect.Signature:
    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    wanted = [item for item in fields(Options) if item.name in names]
    return inspect.Signature([request, *(_parameter(item, place) for item in wanted)])


_THEIRS = [item.name for item in fields(Options) if item.name not in OWN]
cast(Any, _options).__signature__ = _signature(_THEIRS, Form)
cast(Any, _looks).__signature__ = _signature(list(SEEN), Query)

_ABOUT_HINTS: dict[str, Any] = {
    "description": "Colours that somebody knows, for models that take them: a JSON list of"
    " objects with x, y (0 to 1, across and down the upright picture), a, b (a*, b*) and"
    " radius (share of the longer side). They are for the first page.",
    "examples": ['[{"x": 0.4, "y": 0.6, "a": 12, "b": -30, "radius": 0.02}]'],
}


def _hints(hints: Annotated[str, Form(**_ABOUT_HINTS)] = "[]") -> list[Hint]:
    return read_hints(hints)


def _hints_of_query(hints: Annotated[str, Query(**_ABOUT_HINTS)] = "[]") -> list[Hint]:
    return read_hints(hints)


def read_hints(text: str) -> list[Hint]:
    """Hints from a JSON list. Raises OptionsError."""
    try:
        return hints_from(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, OptionsError) else OptionsError(_NO_HINTS) from error


def hints_from(listed: Any) -> list[Hint]:
    """Hints from a list of plain values. Raises OptionsError."""
    if not isinstance(listed, list):
        raise OptionsError(_NO_HINTS)
    listed = cast(list[Any], listed)
    try:
        if len(listed) > MOST_HINTS:
            raise OptionsError(f"{len(listed)} hints are more than the {MOST_HINTS} that are taken")
        return [Hint(**{k: float(v) for k, v in hint.items()}) for hint in listed]
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise error if isinstance(error, OptionsError) else OptionsError(_NO_HINTS) from error


_NO_HINTS = 'hints are no JSON list of objects like {"x": 0.4, "y": 0.6, "a": 12, "b": -30}'

LooksQuery = Annotated[Options, Depends(_looks)]
HintsQuery = Annotated[list[Hint], Depends(_hints_of_query)]
OptionsForm = Annotated[Options, Depends(_options)]
HintsForm = Annotated[list[Hint], Depends(_hints)]
