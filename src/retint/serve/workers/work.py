"""What a worker's process does: the same work as the command line's, on one photograph."""

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from retint import predict, walk
from retint.colorizer import Colorizer, Options
from retint.errors import ModelError, RetintError
from retint.files import NO_ROOM, colorize_file, failed
from retint.journal import Receipt
from retint.serve.bounds import Bounds

OUTGROWN = os.strerror(errno.EFBIG).lower()


@dataclass(frozen=True)
class Work:
    """A photograph, where its result goes and how large it may be, and how it is coloured."""

    job: walk.Job
    options: Options
    room: int


def start(
    models: Mapping[str, str], device: str, threads: int, bounds: Bounds
) -> Callable[[Work | None], Receipt | None]:
    """What a process does with its work; models are loaded once, the first at the start.

    For None, which asks only whether it is ready, it answers None.
    """
    bounds.confine()
    loaded: dict[str, predict.Predictor] = {}

    def load(name: str) -> predict.Predictor:
        if name not in models:
            raise ModelError(f"the service has no model {name} any more")
        if name not in loaded:
            loaded[name] = predict.load(models[name], device=device, threads=threads)
        return loaded[name]

    load(next(iter(models)))

    def colour(work: Work | None) -> Receipt | None:
        if work is None:
            return None
        bounds.renew(work.room)
        try:
            colorizer = Colorizer(load(work.options.model), work.options)
        except RetintError as error:  # of a model that was removed since
            return failed(work.job, work.options, str(error))
        receipt = colorize_file(work.job, colorizer, work.options, overwrite=True)
        if receipt.status == "failed" and OUTGROWN in receipt.reason:
            return replace(receipt, reason=f"{NO_ROOM}: its result would exceed the quota")
        return receipt

    return colour
