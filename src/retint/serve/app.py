"""The application: its parts made and joined."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartParser

from retint import predict
from retint.errors import OptionsError, OutputError
from retint.lines import lock
from retint.serve import problems
from retint.serve.api import about, colorize, front, jobs, photographs
from retint.serve.entrance import audit
from retint.serve.entrance.access import Access
from retint.serve.entrance.connections import Pace
from retint.serve.meters import Meters
from retint.serve.service import Service
from retint.serve.settings import Settings
from retint.serve.store.album import Album
from retint.serve.store.bell import Bell
from retint.serve.store.database import is_embedded, open_database
from retint.serve.store.keys import every
from retint.serve.store.queue import Queue
from retint.serve.store.sweep import sweep
from retint.serve.workers.desk import Desk
from retint.serve.workers.dispatch import Dispatcher

MOST_FIELDS = 50  # of a form, each of which may be 1 MB: they are kept in memory
SPOOLED = 1 << 16  # bytes of each uploaded file that are kept in memory
SWEEPING = 60.0  # seconds between removals of what has expired

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """A service as an ASGI application; it works while its lifespan lasts.

    `app.state.service` holds its parts. Raises OutputError where the folder or the database cannot
    be used, ModelError for a model that cannot be loaded, and OptionsError where keys are asked for
    and there are none.
    """
    settings = replace(settings, data=settings.data.resolve())
    try:
        for folder in (settings.jobs, settings.photographs):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{settings.data}: cannot be used ({error.strerror})") from error
    queue = Queue(open_database(settings.url), Bell())
    if settings.keys and not any(key.revoked is None for key in every(queue.engine)):
        raise OptionsError("there is no API key yet: retint serve key add NAME makes one")
    meters = Meters()
    models = {
        name: predict.load(model, device="cpu", threads=1)
        for name, model in settings.models.items()
    }
    service = Service(
        settings=settings,
        queue=queue,
        dispatcher=Dispatcher(settings, queue, meters),
        album=Album(queue.engine),
        desk=Desk(settings),
        meters=meters,
        cards={name: model.card for name, model in models.items()},
        alternatives=frozenset(name for name, model in models.items() if model.alternatives),
    )
    app = FastAPI(
        title="retint",
        summary="Colour for archive photographs: only the colour is new.",
        version=version("retint"),
        lifespan=_lifespan,
        docs_url=None,  # front has one that needs nobody else's server
        redoc_url=None,
        form_limits={"max_fields": MOST_FIELDS, "max_files": settings.max_files + 1},
    )
    MultiPartParser.spool_max_size = SPOOLED
    app.state.service = service
    for room in (photographs, colorize, jobs, about, front):
        app.include_router(room.router)
    app.add_middleware(Pace, silence=settings.silence)
    app.add_middleware(Access, service=service)
    problems.handle(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    service: Service = app.state.service
    with ExitStack() as held:
        if is_embedded(service.queue.engine):
            held.enter_context(_alone(service.settings.data))
            service.queue.release_all()  # what a killed server had
        service.dispatcher.start()
        sweeping = asyncio.create_task(_sweep(service))
        try:
            yield
        finally:
            sweeping.cancel()
            await run_in_threadpool(service.desk.stop)
            await run_in_threadpool(service.dispatcher.stop)
            service.queue.engine.dispose()


async def _sweep(service: Service) -> None:
    while True:
        try:
            await run_in_threadpool(_remove_expired, service)
        except Exception:
            log.exception("sweeping")
        await asyncio.sleep(SWEEPING)


def _remove_expired(service: Service) -> None:
    swept = sweep(service.settings, service.queue, service.album)
    for path in (
        *(f"/v1/jobs/{id}" for id in swept.jobs),
        *(f"/v1/photographs/{id}" for id in swept.photographs),
    ):
        audit.record(service.settings.data, "expired", path)


@contextmanager
def _alone(data: Path) -> Generator[None]:
    """Hold a folder that only one server may work in."""
    descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock(descriptor)
        yield
    except BlockingIOError:
        raise OutputError(f"{data}: another server is at work in this folder") from None
    finally:
        os.close(descriptor)
