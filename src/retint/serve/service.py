"""What the requests of one service share, and how they come by it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from retint.hub import Card
from retint.serve import keys
from retint.serve.dispatch import Dispatcher
from retint.serve.meters import Meters
from retint.serve.problems import Problem
from retint.serve.queue import Queue
from retint.serve.settings import Settings
from retint.serve.tables import Job


def _never() -> bool:
    return False


@dataclass
class Service:
    """The parts of a service. `closing` tells whether it is about to end."""

    settings: Settings
    queue: Queue
    dispatcher: Dispatcher
    meters: Meters
    cards: dict[str, Card]
    closing: Callable[[], bool] = field(default=_never)


def _service(request: Request) -> Service:
    return request.app.state.service


Here = Annotated[Service, Depends(_service)]

_bearer = HTTPBearer(auto_error=False, description="An API key, where the service asks for one.")


def _caller(
    request: Request,
    here: Here,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """Id of the key the request comes with; "" where none is asked for. 401 without a valid one."""
    if not here.settings.keys:
        return ""
    id = keys.check(here.queue.engine, given.credentials) if given else None
    if id is None:
        raise Problem(
            401,
            "This service needs an API key: send it as `Authorization: Bearer KEY`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    request.state.key = id
    return id


Caller = Annotated[str, Depends(_caller)]


def _job(id: str, here: Here, caller: Caller) -> Job:
    """The job of that id, if it is the caller's; else 404, as if there were none."""
    job = here.queue.job(id)
    if job is None or job.key != caller:
        raise Problem(404, "There is no such job; it may have expired, or belong to another key.")
    return job


Known = Annotated[Job, Depends(_job)]
