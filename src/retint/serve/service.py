"""What the requests of one service share, and how they come by it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from retint.hub import Card
from retint.serve.meters import Meters
from retint.serve.problems import EXAMPLES, Problem
from retint.serve.settings import Settings
from retint.serve.store.album import Album
from retint.serve.store.queue import Queue
from retint.serve.store.tables import Job, Photograph
from retint.serve.workers.desk import Desk
from retint.serve.workers.dispatch import Dispatcher


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Visitor:
    """Who asks: an API key's id and name, empty where none is asked for, and the address."""

    key: str = ""
    name: str = ""
    client: str = ""


@dataclass
class Service:
    """The parts of a service. `alternatives` names the models that have several answers; `closing`
    tells whether it is about to end.
    """

    settings: Settings
    queue: Queue
    dispatcher: Dispatcher
    album: Album
    desk: Desk
    meters: Meters
    cards: dict[str, Card]
    alternatives: frozenset[str]
    closing: Callable[[], bool] = field(default=_never)


def _service(request: Request) -> Service:
    return request.app.state.service


Here = Annotated[Service, Depends(_service)]

_bearer = HTTPBearer(auto_error=False, description="An API key, where the service asks for one.")


def _caller(
    request: Request,
    described: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """Id of the key that the door has checked; "" where none is asked for."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    if visitor is None:  # an operation outside /v1/, which asks for nobody
        raise Problem(401, EXAMPLES[401])
    return visitor.key


Caller = Annotated[str, Depends(_caller)]


def is_id(text: str) -> bool:
    """Whether it may be the id of something here; other words are not shown to the database."""
    return re.fullmatch("[0-9a-f]{1,64}", text) is not None


def _job(id: str, here: Here, caller: Caller) -> Job:
    """The job of that id, if it is the caller's; else 404, as if there were none."""
    job = here.queue.job(id) if is_id(id) else None
    if job is None or job.key != caller:
        raise Problem(404, "There is no such job; it may have expired, or belong to another key.")
    return job


Known = Annotated[Job, Depends(_job)]


def kept(here: Service, caller: str, id: str) -> Photograph:
    """The kept photograph of that id, if it is the caller's; else 404, as if there were none."""
    found = here.album.find(id, here.settings.keep_photographs) if is_id(id) else None
    if found is None or found.key != caller:
        raise Problem(
            404, "There is no such photograph; it may have expired, or belong to another key."
        )
    return found


def _kept(id: str, here: Here, caller: Caller) -> Photograph:
    return kept(here, caller, id)


Kept = Annotated[Photograph, Depends(_kept)]
