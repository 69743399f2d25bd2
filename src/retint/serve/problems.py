"""What goes wrong, told to clients: problem details (RFC 9457) that say what to do."""

import errno
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from retint.errors import OptionsError

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class Problem(HTTPException):
    """An answer that says why not; `more` are members of its own."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(status, detail, headers)
        self.more = more


NO_DATABASE = Problem(
    503, "The database cannot be used now: try again later.", headers={"Retry-After": "10"}
)


DISK_FULL = Problem(507, "The service's disk is full: tell who runs it.")

NO_MORE_FILES = Problem(
    503, "Too many files are coming in at once: try again later.", headers={"Retry-After": "10"}
)


def answer(
    status: int,
    detail: str,
    request: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Problem details as a response; `request` is the request's id."""
    title = HTTPStatus(status).phrase
    body = {"title": title, "status": status, "detail": detail, "request": request, **more}
    text = json.dumps(body)  # in ASCII: what came in may hold halves of characters
    return Response(text, status, headers, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems for an operation's part of the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": EXAMPLES[status], "content": {MEDIA_TYPE: {
            "schema": schema,
            "example": {
                "title": HTTPStatus(status).phrase, "status": status,
                "detail": EXAMPLES[status], "request": "6Q3kDlyT3nQ",
            },
        }}}
        for status in statuses
    }  # fmt: skip


EXAMPLES = {
    400: "There was an error parsing the body",
    401: "This service needs an API key: send it as `Authorization: Bearer KEY`.",
    403: "Pages of other sites may not use this service: open it at its own address.",
    404: "There is no such job; it may have expired, or belong to another key.",
    406: "Results can be image/jpeg, image/png, image/tiff, image/webp, image/avif.",
    408: "The request came too slowly: send it again over a better connection, or in smaller jobs.",
    409: "The job has not ended: wait for its `end` at /v1/jobs/{id}/events.",
    413: "The request is larger than the 1073741824 bytes allowed: send fewer or smaller files.",
    422: "saturation is 9.0, not between 0.0 and 4.0",
    421: "This service is not called so: `retint serve --name HOST` gives it a name.",
    429: "More than the 600 requests a minute that are allowed: try again after `Retry-After`"
    " seconds.",
    503: "Too much is waiting: try again later, or use /v1/jobs, which need not be waited for.",
    507: "The service's disk quota is used up: delete jobs that you have fetched, or try later.",
}

SCHEMA = {
    "type": "object",
    "required": ["title", "status", "detail", "request"],
    "properties": {
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong, and what to do."},
        "request": {"type": "string", "description": "The id under which the log knows it."},
        "errors": {
            "type": "array",
            "description": "The fields that cannot be read.",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "receipt": {"type": "object", "description": "The photograph's receipt, where it has one."},
    },
}


def handle(app: FastAPI) -> None:
    """Have every error of an application answered so, and described so."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        schemas = document["components"]["schemas"]
        schemas["Problem"] = SCHEMA
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                answers = operation["responses"]
                if "422" in answers:  # FastAPI's own words are not what is sent
                    answers["422"] = documented(422)[422]
                for status, told in documented(*_at_the_door(path)).items():
                    answers.setdefault(str(status), told)
        return document

    cast(Any, app).openapi = openapi
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(OptionsError)(_options)
    app.exception_handler(OSError)(_system)
    app.exception_handler(OperationalError)(_no_database)


def _at_the_door(path: str) -> tuple[int, ...]:
    """How a request may be refused before it reaches its operation."""
    any_path = (400, 403, 408, 413, 421)
    return (*any_path, 401, 429, 503) if path.startswith("/v1/") else any_path


def request_id(request: Request) -> str:
    """The request's id."""
    return cast(str, getattr(request.state, "id", ""))


async def _http(request: Request, error: HTTPException) -> Response:
    cause = error.__cause__
    if isinstance(cause, OSError):  # while a body came in
        return await _system(request, cause)
    more = error.more if isinstance(error, Problem) else {}
    return answer(error.status_code, error.detail, request_id(request), error.headers, **more)


async def _system(request: Request, error: OSError) -> Response:
    """What the operating system refused: room on the disk, or another open file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return await _http(request, DISK_FULL)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return await _http(request, NO_MORE_FILES)
    raise error


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = [
        {"field": ".".join(str(part) for part in e["loc"][1:]), "detail": str(e["msg"])}
        for e in error.errors()
    ]
    detail = "; ".join(f"{e['field']}: {e['detail']}" for e in found)
    return answer(422, detail, request_id(request), errors=found)


async def _options(request: Request, error: OptionsError) -> Response:
    return answer(422, str(error), request_id(request))


async def _no_database(request: Request, error: OperationalError) -> Response:
    log.error("request %s: the database cannot be used: %s", request_id(request), error.orig)
    return await _http(request, NO_DATABASE)
