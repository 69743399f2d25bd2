"""`/v1/photographs`: what stays for a while, to be looked at before it is coloured."""

import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Header, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from retint.colorizer import Hint, Options
from retint.palette import Swatch
from retint.serve.api.colorize import BINARY, accepted
from retint.serve.api.forms import HintsQuery, LooksQuery
from retint.serve.api.intake import bring, check_room, names_of
from retint.serve.api.jobs import moment
from retint.serve.problems import Problem, documented
from retint.serve.service import Caller, Here, Kept, Service
from retint.serve.store.sweep import forget
from retint.serve.store.tables import Photograph
from retint.serve.workers.looking import Comparing, Facts, Opening, Sampling, Seeing, Show
from retint.tone import Tone

MEDIA = {"image/webp": "webp", "image/jpeg": "jpeg", "image/png": "png"}
"""Formats of previews by their media types; the first where any will do."""

HOUR = "private, max-age=3600"

router = APIRouter(prefix="/v1/photographs", tags=["photographs"])


class PhotographView(BaseModel):
    """A photograph that is kept to be looked at."""

    id: str = Field(examples=["5f0c6a3fd3a6cf4ab9f7d0a1"])
    name: str = Field(examples=["1912.tif"])
    width: int = Field(description="Pixels across, held upright.", examples=[5472])
    height: int = Field(description="Pixels down, held upright.", examples=[3648])
    pages: int = Field(examples=[1])
    format: str = Field(examples=["tiff"])
    tone: Tone = Field(description="Of the first page: a sepia is toned.")
    marked: bool = Field(description="Whether it is a result already, which is not coloured again.")
    bytes: int = Field(examples=[20131072])
    created: datetime
    expires: datetime = Field(description="When it is removed, unless it is used before.")


class AlternativeView(BaseModel):
    """A colouring that is as plausible as the guess."""

    number: int = Field(description="The option `alternative` that gives it.", examples=[1])
    apart: float = Field(
        description="How far it is from the guess, a mean over the picture, in Lab units.",
        examples=[5.3],
    )


class AlternativesView(BaseModel):
    """Alternatives, the guess first."""

    alternatives: list[AlternativeView]


class ColourView(BaseModel):
    """A colour of a photograph."""

    rgb: str = Field(description="In sRGB.", examples=["#8a6f4d"])
    L: float = Field(examples=[48.2])
    a: float = Field(examples=[6.1])
    b: float = Field(examples=[22.4])
    share: float = Field(description="Of the picture.", examples=[0.31])


class PaletteView(BaseModel):
    """Colours of a photograph, that with the largest share first."""

    colours: list[ColourView]


Share = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)]
Page = Annotated[int, Query(ge=0, le=100_000, description="From 0 on.")]


@router.post(
    "", status_code=201, response_model=PhotographView,
    responses=documented(401, 413, 422, 503, 507),
)  # fmt: skip
async def keep(
    request: Request,
    response: Response,
    here: Here,
    caller: Caller,
    image: Annotated[UploadFile, File(description="A photograph, in any format that is read.")],
) -> PhotographView:
    """Keep a photograph, to look at it and to colour it when it looks right.

    It stays until nobody has looked at it for a day, unless the house has set another time.
    """
    photograph = await run_in_threadpool(_bring, here, caller, image)
    try:
        question = Opening(_file(here, photograph), here.settings.max_pixels)
        facts: Facts = await here.desk.ask(request, question, photograph.name)
        photograph.facts = asdict(facts)
        await run_in_threadpool(here.album.add, photograph)
    except BaseException:
        shutil.rmtree(here.settings.photographs / photograph.id, ignore_errors=True)
        raise
    response.headers["Location"] = f"{here.settings.root_path}/v1/photographs/{photograph.id}"
    return _view(photograph)


@router.get("/{id}", response_model=PhotographView, responses=documented(401, 404))
def show(photograph: Kept) -> PhotographView:
    """Tell what a kept photograph is."""
    return _view(photograph)


@router.delete("/{id}", status_code=204, responses=documented(401, 404))
def delete(here: Here, photograph: Kept) -> None:
    """Remove a kept photograph; jobs that were made with it have it still."""
    forget(here.settings, here.album, photograph.id)


@router.get(
    "/{id}/preview",
    response_class=Response,
    responses={
        200: {
            "description": "A picture of 8 bits, sRGB, upright. At full size its pixels are those"
            " of the result.",
            "content": dict.fromkeys(MEDIA, BINARY),
        },
        **documented(401, 404, 406, 409, 422, 503),
    },
)
async def preview(
    request: Request,
    here: Here,
    photograph: Kept,
    options: LooksQuery,
    hints: HintsQuery,
    show: Annotated[
        Show,
        Query(
            description="colour: as the result will be. grey: its lightness. source: as it was"
            " sent. confidence: a white veil to lay over it, the less transparent the less sure"
            " the model is."
        ),
    ] = "colour",
    side: Annotated[
        int, Query(ge=16, le=4096, description="Longest side of the answer; nothing is enlarged.")
    ] = 1600,
    page: Page = 0,
    left: Share = 0.0,
    top: Share = 0.0,
    width: Share = 1.0,
    height: Share = 1.0,
    accept: Annotated[str, Header(description="Format of the picture.")] = "*/*",
) -> Response:
    """Show a kept photograph, or a part of it, as it will be with these options and hints.

    `left`, `top`, `width` and `height` are shares of the upright picture; edges are those of the
    nearest pixels. The same question has the same answer, which may be kept.
    """
    format = accepted(accept, MEDIA) or next(iter(MEDIA.values()))
    _check(here, photograph, options, hints, page)
    question = Seeing(
        _file(here, photograph), options, tuple(hints), page,
        show, (left, top, width, height), side, format,
    )  # fmt: skip
    picture: bytes = await here.desk.ask(request, question, photograph.name)
    media = next(name for name, known in MEDIA.items() if known == format)
    headers = {"Cache-Control": HOUR, "Vary": "Accept, Authorization"}
    return Response(picture, media_type=media, headers=headers)


@router.get(
    "/{id}/alternatives",
    response_model=AlternativesView,
    responses=documented(401, 404, 409, 422, 503),
)
async def alternatives(
    request: Request,
    here: Here,
    photograph: Kept,
    options: LooksQuery,
    hints: HintsQuery,
    page: Page = 0,
    count: Annotated[int, Query(ge=1, le=9)] = 4,
) -> AlternativesView:
    """Tell which other colourings are as plausible.

    Each is the most different from those before it, and the same whatever `count` is; previews with
    `alternative=NUMBER` show them. 409 for a model that has a single answer.
    """
    _check(here, photograph, replace(options, alternative=1), hints, page)
    question = Comparing(_file(here, photograph), options, tuple(hints), page, count)
    found: Sequence[float] = await here.desk.ask(request, question, photograph.name)
    return AlternativesView(
        alternatives=[AlternativeView(number=k, apart=apart) for k, apart in enumerate(found)]
    )


@router.get(
    "/{id}/palette", response_model=PaletteView, responses=documented(401, 404, 422, 503)
)  # fmt: skip
async def palette(
    request: Request,
    here: Here,
    photograph: Kept,
    count: Annotated[int, Query(ge=1, le=32, description="Most that are told.")] = 8,
) -> PaletteView:
    """Tell which colours a photograph is made of, to use them as hints for another."""
    question = Sampling(_file(here, photograph), here.settings.max_pixels, count)
    found: Sequence[Swatch] = await here.desk.ask(request, question, photograph.name)
    return PaletteView(colours=[ColourView(rgb=s.rgb, **asdict(s)) for s in found])


def _bring(here: Service, caller: str, image: UploadFile) -> Photograph:
    """An upload brought to the disk, whole."""
    size = image.size or 0
    check_room(here, size)
    (name,) = names_of([image.filename or ""])
    photograph = Photograph(
        id=secrets.token_hex(12), key=caller, name=name, size=size,
        created=time.time(), expires=time.time() + here.settings.keep_photographs,
    )  # fmt: skip
    bring(here.settings.photographs / photograph.id, [(name, image)])
    return photograph


def _file(here: Service, photograph: Photograph) -> Path:
    return here.settings.photographs / photograph.id / photograph.name


def _check(
    here: Service, photograph: Photograph, options: Options, hints: Sequence[Hint], page: int
) -> None:
    """Raise a Problem for what a model does not do, and for a page that is not there."""
    if options.alternative and options.model not in here.alternatives:
        raise Problem(409, f"{options.model} has one answer: /v1/models tells which have more.")
    if hints and not here.cards[options.model].hints:
        raise Problem(422, f"{options.model} takes no hints: /v1/models tells which do.")
    if page >= photograph.facts["pages"]:
        raise Problem(422, f"{photograph.name} has {photograph.facts['pages']} pages, from 0 on.")


def _view(photograph: Photograph) -> PhotographView:
    facts: dict[str, Any] = photograph.facts
    return PhotographView(
        id=photograph.id,
        name=photograph.name,
        bytes=photograph.size,
        created=moment(photograph.created),
        expires=moment(photograph.expires),
        **facts,
    )
