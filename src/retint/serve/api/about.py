"""What is here, and how it is: models, health, meters."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from retint.serve.meters import CONTENT_TYPE_LATEST
from retint.serve.problems import Problem, documented
from retint.serve.service import Caller, Here

router = APIRouter()


class ModelView(BaseModel):
    """A model that may be asked for by `name`."""

    name: str = Field(examples=["default"])
    version: str = Field(examples=["1.2"])
    family: str = Field(examples=["unet"])
    description: str
    license: str = Field(examples=["MIT"])
    weights_license: str = Field(examples=["MIT"])
    parameters: int
    working_size: int = Field(description="Longest side at which it guesses best, in pixels.")
    hints: bool = Field(description="Whether it takes colours given in places.")
    alternatives: bool = Field(description="Whether it has other colourings, as plausible.")
    not_for: str = Field(description="What it should not be used for.")


@router.get("/v1/models", tags=["models"], responses=documented(401))
def models(here: Here, caller: Caller) -> list[ModelView]:
    """List the models; the first is used where none is asked for."""
    return [
        ModelView.model_validate(
            {**card.to_dict(), "name": name, "alternatives": name in here.alternatives}
        )
        for name, card in here.cards.items()
    ]


@router.get("/healthz", tags=["operation"])
def health() -> dict[str, Any]:
    """Tell that the service answers."""
    return {"status": "ok"}


@router.get("/readyz", tags=["operation"], responses=documented(503))
def ready(here: Here) -> dict[str, Any]:
    """Tell whether it can work: a database, and a process with its model loaded."""
    try:
        here.queue.states()
    except SQLAlchemyError:
        raise Problem(503, "The database cannot be used now.") from None
    if not here.dispatcher.is_ready():
        raise Problem(503, "No worker is ready yet.", headers={"Retry-After": "2"})
    return {"status": "ready"}


@router.get("/metrics", tags=["operation"], response_class=Response)
def metrics(here: Here) -> Response:
    """Give the meters in Prometheus' text format."""
    text = here.meters.exposition(here.queue.states(), here.queue.usage())
    return Response(text, media_type=CONTENT_TYPE_LATEST)
