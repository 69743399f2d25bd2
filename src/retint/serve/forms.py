"""Options and hints as fields of a form: nothing is typed twice."""

import inspect
import json
from dataclasses import Field, fields, replace
from typing import Annotated, Any, cast, get_type_hints

from fastapi import Depends, Form, Request

from retint.colorizer import Hint, Options
from retint.errors import OptionsError
from retint.serve.problems import Problem
from retint.serve.service import Service

OWN = ("device", "max_pixels")
"""Options that are the house's to decide, not the client's."""

OTHERS = {"image", "images", "path", "hints"}

_KINDS = get_type_hints(Options)


async def _options(request: Request, **given: Any) -> Options:
    """The options of a form, with the house's own. Raises OptionsError, Problem."""
    service: Service = request.app.state.service
    unknown = sorted((await request.form()).keys() - given.keys() - OTHERS)
    if unknown:
        raise OptionsError(f"there is no option {', '.join(unknown)}")
    model = given.pop("model") or next(iter(service.settings.models))
    if model not in service.settings.models:
        names = ", ".join(service.settings.models)
        raise Problem(422, f"There is no model {model} here, only {names}: see /v1/models.")
    settings = service.settings
    options = Options(model=model, **{k: v for k, v in given.items() if v is not None})
    return replace(options, device=settings.device, max_pixels=settings.max_pixels)


def _parameter(item: Field[Any]) -> inspect.Parameter:
    kind: Any = _KINDS[item.name]
    default: Any = item.default
    if item.name == "model":
        kind, default = str | None, None
    about = Form(
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


cast(Any, _options).__signature__ = inspect.Signature(
    [
        inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request),
        *(_parameter(item) for item in fields(Options) if item.name not in OWN),
    ]
)


def _hints(
    hints: Annotated[
        str,
        Form(
            description="Colours that somebody knows, for models that take them: a JSON list of"
            " objects with x, y (0 to 1, across and down the upright picture), a, b (a*, b*) and"
            " radius (share of the longer side). They are for the first page.",
            examples=['[{"x": 0.4, "y": 0.6, "a": 12, "b": -30, "radius": 0.02}]'],
        ),
    ] = "[]",
) -> list[Hint]:
    try:
        listed = json.loads(hints)
        return [Hint(**{k: float(v) for k, v in hint.items()}) for hint in listed]
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, OptionsError):
            raise
        raise OptionsError(
            'hints are no JSON list of objects like {"x": 0.4, "y": 0.6, "a": 12, "b": -30}'
        ) from error


OptionsForm = Annotated[Options, Depends(_options)]
HintsForm = Annotated[list[Hint], Depends(_hints)]
