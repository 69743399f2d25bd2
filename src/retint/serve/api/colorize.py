"""`POST /v1/colorize`: a picture in, a picture out."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Form, Header, UploadFile
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from retint.files import NO_ROOM
from retint.formats.codecs import FORMATS
from retint.journal import Receipt
from retint.serve.api.forms import HintsForm, OptionsForm
from retint.serve.api.intake import Chosen, new_job, take_photographs, take_uploads
from retint.serve.problems import Problem, documented
from retint.serve.service import Caller, Here, Service, kept
from retint.serve.store.bell import ringing
from retint.serve.store.sweep import remove
from retint.serve.store.tables import Item, Job

RECEIPT = "Retint-Receipt"

MEDIA = {
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/tiff": "tiff",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/x-portable-anymap": "pnm",
}
"""Formats of results by their media types."""

BINARY = {"schema": {"type": "string", "format": "binary"}}

router = APIRouter(tags=["photographs"])


@router.post(
    "/v1/colorize",
    response_class=Response,
    responses={
        200: {
            "description": "The coloured picture, in the source's format unless `format` or"
            " `Accept` says another.",
            "content": dict.fromkeys(MEDIA, BINARY),
            "headers": {RECEIPT: {
                "description": "The receipt, as JSON: hashes, model, options, measured change of"
                " lightness.",
                "schema": {"type": "string"},
            }},
        },
        **documented(401, 404, 406, 413, 422, 503, 507),
    },
)  # fmt: skip
async def colorize(
    here: Here,
    caller: Caller,
    options: OptionsForm,
    hints: HintsForm,
    image: Annotated[
        UploadFile | None, File(description="A photograph, in any format that is read.")
    ] = None,
    photograph: Annotated[
        str | None, Form(description="Instead of a file: the id of a kept photograph.")
    ] = None,
    accept: Annotated[str, Header(description="Format of the result.")] = "*/*",
) -> Response:
    """Colour one photograph while the client waits.

    Nothing stays with the service. For many photographs, or large ones, use /v1/jobs.
    """
    if (image is None) == (photograph is None):
        raise Problem(422, "Send a file as `image`, or a kept `photograph`: one of them.")
    if options.format is None:
        options = replace(options, format=accepted(accept))
    job = new_job(caller, options, hints)
    job.urgent, job.expires = True, time.time() + 2 * here.settings.patience
    if image is not None:
        await run_in_threadpool(take_uploads, here, job, [image])
    else:
        found = await run_in_threadpool(kept, here, caller, photograph or "")
        await run_in_threadpool(take_photographs, here, job, [Chosen(found, {}, hints)])
    forget = BackgroundTask(remove, here.settings, here.queue, job.id)
    try:
        async with asyncio.timeout(here.settings.patience):
            item = await _ended(here, job)
        receipt = Receipt.from_json(item.receipt or "")
        if item.result is None:
            raise _refusal(receipt)
    except BaseException as error:
        await forget()
        if isinstance(error, TimeoutError):
            raise _TOO_BUSY from None
        raise
    path = here.settings.folder(job.id) / item.result
    return FileResponse(
        path,
        media_type=media_of(path),
        headers={RECEIPT: receipt.to_json()},
        background=forget,
    )


def media_of(path: Path) -> str:
    """Media type of a result, by its name."""
    return next(
        (m for m, name in MEDIA.items() if path.suffix.lower() in FORMATS[name].suffixes),
        "application/octet-stream",  # a copy of something that is not written
    )


def accepted(accept: str, media: Mapping[str, str] = MEDIA) -> str | None:
    """Which of these formats a header asks for first (RFC 9110, 12.5.1); None where any will do.

    Raises Problem where it asks for others.
    """
    wanted: list[tuple[float, str]] = []
    for part in accept.split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            wanted.append((float(weight), kind))
        except ValueError:
            wanted.append((0.0, kind))
    for weight, kind in sorted(wanted, key=lambda pair: -pair[0]):
        if weight > 0 and kind in ("*/*", "image/*", ""):
            return None
        if weight > 0 and kind in media:
            return media[kind]
    raise Problem(406, f"Pictures here can be {', '.join(media)}.")


async def _ended(here: Service, job: Job) -> Item:
    """The job's only photograph, when it has ended."""
    async with aclosing(ringing(here.queue.bell, job.id)) as looks:
        async for _ in looks:
            if found := await run_in_threadpool(here.queue.ended_after, job.id, 0):
                return found[0]
    raise AssertionError("a bell never ends")


def _refusal(receipt: Receipt) -> Problem:
    """Why there is no result."""
    told = json.loads(receipt.to_json())
    reason = receipt.reason
    if receipt.status == "skipped":
        detail = f"{receipt.source} {reason}: `if_colour` says what to do with those."
        return Problem(422, detail, receipt=told)
    if reason.startswith(NO_ROOM):
        return Problem(507, "The service's disk is full: tell who runs it.", receipt=told)
    status = 500 if "error of retint's own" in reason else 422
    return Problem(status, f"{receipt.source}: {reason}", receipt=told)


_TOO_BUSY = Problem(
    503,
    "Too much is waiting: try again later, or use /v1/jobs, which need not be waited for.",
    headers={"Retry-After": "30"},
)
