"""`/v1/jobs`: work that is taken on at once and done when its turn comes."""

import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Header, Query, Response, UploadFile
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from retint.journal import NAME
from retint.serve.api.archive import pieces_of, stream_zip
from retint.serve.api.chosen import ChosenForm, read_chosen
from retint.serve.api.colorize import BINARY, media_of
from retint.serve.api.forms import HintsForm, OptionsForm
from retint.serve.api.intake import new_job, take_path, take_photographs, take_uploads
from retint.serve.problems import Problem, documented
from retint.serve.service import Caller, Here, Known, Service
from retint.serve.store.bell import ringing
from retint.serve.store.sweep import remove
from retint.serve.store.tables import RUNNING, Item, Job

EVENT = 'id: 1\nevent: item\ndata: {"number": 1, "name": "1912.tif", "state": "done"}\n\n'
MOST = 2**31 - 1  # that a database counts to
SILENCE = 15  # looks without news after which a line keeps the connection open

router = APIRouter(tags=["jobs"])


class ItemView(BaseModel):
    """A photograph of a job."""

    number: int = Field(examples=[1])
    name: str = Field(examples=["attic/1912.tif"])
    state: str = Field(
        description="waiting, running, or its receipt's status: done, copied, skipped, failed",
        examples=["done"],
    )
    result: str | None = Field(
        description="Where its result is.", examples=["/v1/jobs/5f0c/results/1"]
    )
    receipt: dict[str, Any] | None = Field(examples=[{"status": "done", "delta_L_max": 0.21}])


class JobView(BaseModel):
    """A job, and part of its photographs."""

    id: str = Field(examples=["5f0c6a3fd3a6cf4ab9f7d0a1"])
    state: Literal["waiting", "running", "ended"]
    total: int = Field(description="Photographs in it.", examples=[2])
    ended: int = Field(description="Those that have a receipt.", examples=[1])
    states: dict[str, int] = Field(examples=[{"done": 1, "waiting": 1}])
    created: datetime
    expires: datetime | None = Field(description="When it is removed; unknown until it ends.")
    options: dict[str, Any]
    items: list[ItemView]
    following: int | None = Field(description="`begin` for the photographs that follow.")


@router.post(
    "/v1/jobs", status_code=202, response_model=JobView, responses=documented(401, 413, 422, 507)
)
async def create(
    here: Here,
    caller: Caller,
    options: OptionsForm,
    hints: HintsForm,
    response: Response,
    images: Annotated[list[UploadFile] | None, File(description="Photographs.")] = None,
    path: Annotated[
        str | None,
        Form(description="Instead of files: a photograph or a folder below the service's root."),
    ] = None,
    photographs: ChosenForm = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=200,
            description="Your own name for this job: sent again with it, after a connection that"
            " broke, the job that was taken on is answered, and no second one made.",
        ),
    ] = None,
) -> JobView:
    """Take on a job: files, a path below the service's root, or kept photographs.

    When the answer arrives it is safely stored, and survives any end of the service.
    """
    if [path, images, photographs].count(None) != 2:
        raise Problem(422, "Send files as `images`, a `path`, or `photographs`: one of them.")
    job = new_job(caller, options, hints, idempotency_key)
    if images is not None:
        job = await run_in_threadpool(take_uploads, here, job, images)
    elif photographs is not None:
        chosen = await run_in_threadpool(read_chosen, here, caller, options, hints, photographs)
        job = await run_in_threadpool(take_photographs, here, job, chosen)
    else:
        job = await run_in_threadpool(take_path, here, job, path or "")
    response.headers["Location"] = f"{here.settings.root_path}/v1/jobs/{job.id}"
    return await run_in_threadpool(_view, here, job, 1, 100)


@router.get("/v1/jobs/{id}", response_model=JobView, responses=documented(401, 404, 422))
def show(
    here: Here,
    job: Known,
    begin: Annotated[int, Query(ge=1, le=MOST, description="First photograph that is listed.")] = 1,
    count: Annotated[int, Query(ge=0, le=1000, description="Most that are listed.")] = 100,
) -> JobView:
    """Tell how a job is getting on."""
    return _view(here, job, begin, count)


@router.get(
    "/v1/jobs/{id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events: `item` for each photograph that has ended, in that"
            " order, and `end`, with the job, after the last.",
            "content": {"text/event-stream": {"example": EVENT}},
        },
        **documented(401, 404),
    },
)  # fmt: skip
async def events(
    here: Here,
    job: Known,
    last_event_id: Annotated[
        str | None, Header(description="The last `id` that was seen; what followed is sent.")
    ] = None,
) -> StreamingResponse:
    """Tell of a job's photographs as they end, from the first on."""
    known = re.fullmatch(r"\d{1,9}", last_event_id or "", re.ASCII)
    seen = int(known[0]) if known else 0
    return StreamingResponse(
        _told(here, job, seen),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get(
    "/v1/jobs/{id}/results",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": f"A ZIP of all results, and their receipts in {NAME}.",
            "content": {"application/zip": BINARY},
        },
        **documented(401, 404, 409),
    },
)
def results(here: Here, job: Known) -> StreamingResponse:
    """Give all results of a job that has ended, in the tree of their sources."""
    if job.ended < job.total:
        raise Problem(
            409, f"The job has not ended: wait for its `end` at /v1/jobs/{job.id}/events."
        )
    name = f'attachment; filename="retint-{job.id}.zip"'
    return StreamingResponse(
        stream_zip(_files(here, job)),
        media_type="application/zip",
        headers={"Content-Disposition": name},
    )


@router.get(
    "/v1/jobs/{id}/results/{number}",
    response_class=FileResponse,
    responses=documented(401, 404, 409),
)
def result(
    here: Here, job: Known, number: Annotated[int, PathParameter(ge=1, le=MOST)]
) -> FileResponse:
    """Give one result."""
    found = here.queue.items(job.id, number, 1)
    if not found or found[0].number != number:
        raise Problem(404, f"The job has no photograph {number}.")
    item = found[0]
    if item.result is None:
        ended = item.receipt is not None
        raise Problem(
            404 if ended else 409, f"Photograph {number} has no result: it is {item.state}."
        )
    path = here.settings.folder(job.id) / item.result
    return FileResponse(path, media_type=media_of(path), filename=Path(_named(item)).name)


@router.delete("/v1/jobs/{id}", status_code=204, responses=documented(401, 404))
def delete(here: Here, job: Known) -> None:
    """Remove a job with its uploads and results; what waits of it is not done."""
    remove(here.settings, here.queue, job.id)


def _view(here: Service, job: Job, begin: int, count: int) -> JobView:
    current = here.queue.job(job.id) or job  # first: a job that had ended has nothing running
    states = here.queue.states(job.id)
    items = here.queue.items(job.id, begin, count)
    begun = current.ended or states.get(RUNNING)
    following = begin + len(items)
    return JobView(
        id=job.id,
        state="ended" if current.ended == job.total else "running" if begun else "waiting",
        total=job.total,
        ended=current.ended,
        states=states,
        created=moment(job.created),
        expires=None if current.expires is None else moment(current.expires),
        options=job.options,
        items=[_item_view(here, item) for item in items],
        following=following if following <= job.total else None,
    )


def _item_view(here: Service, item: Item) -> ItemView:
    path = f"{here.settings.root_path}/v1/jobs/{item.job}/results/{item.number}"
    return ItemView(
        number=item.number,
        name=item.name,
        state=item.state,
        result=None if item.result is None else path,
        receipt=None if item.receipt is None else json.loads(item.receipt),
    )


async def _told(here: Service, job: Job, seen: int) -> AsyncGenerator[str]:
    """Events of a job, until it has ended, is removed, or the service closes."""
    silent = 0
    async with aclosing(ringing(here.queue.bell, job.id)) as looks:
        async for _ in looks:
            while items := await run_in_threadpool(here.queue.ended_after, job.id, seen):
                silent = 0
                for item in items:
                    seen = item.ended or seen
                    yield _event("item", _item_view(here, item), seen)
            if seen >= job.total:
                view = await run_in_threadpool(_view, here, job, 1, 0)
                yield _event("end", view, seen)
                return
            if here.closing() or await run_in_threadpool(here.queue.job, job.id) is None:
                return
            silent += 1
            if silent % SILENCE == 0:
                yield ": still at work\n\n"


def _event(kind: str, data: BaseModel, id: int) -> str:
    return f"id: {id}\nevent: {kind}\ndata: {data.model_dump_json()}\n\n"


def _files(here: Service, job: Job) -> Iterator[tuple[str, Iterable[bytes]]]:
    """What a job's ZIP holds."""
    folder = here.settings.folder(job.id)
    yield NAME, (f"{item.receipt}\n".encode() for item in here.queue.each(job.id))
    for item in here.queue.each(job.id):
        if item.result is not None:
            yield _named(item), pieces_of(folder / item.result)


def _named(item: Item) -> str:
    """What a result is called."""
    return item.copy if item.state == "copied" else item.target


def moment(seconds: float) -> datetime:
    """A time as the API tells it."""
    return datetime.fromtimestamp(seconds, UTC)
