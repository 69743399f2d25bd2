"""Checkpoints: everything that is needed to rebuild a training and go on, in one file that appears
whole or not at all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch

from retint.errors import InputError, OutputError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) to `path`, atomically. OutputError where it cannot
    be written."""
    _replace(path, lambda file: torch.save(state, file))


def copy(source: Path, path: Path) -> None:
    """Copy a checkpoint, atomically; errors as for `save`."""

    def write(file: IO[bytes]) -> None:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file, 1 << 20)

    _replace(path, write)


def _replace(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        part.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: checkpoint not written ({error}); the one before is kept"
        ) from None


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are accepted, never code. InputError where
    it is damaged."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(f"{path}: not a checkpoint ({str(error).splitlines()[0]})") from None
