"""The ladder of many networks as a table: JSON for programs, Markdown for people."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retint.errors import InputError, OutputError
from retint.train.overfit import LOSS, SHARE, Ladder

Table = dict[str, dict[str, Any]]
"""A row by the name of its network: its ladder as plain values, or `{"failed": why}`."""


def row(ladder: Ladder, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A network's row; settings: what its training was told."""
    return {**asdict(ladder), "settings": dict(settings)}


def read(path: Path) -> Table:
    """The table in a file, empty where there is none. InputError where it is no such table."""
    try:
        table = json.loads(path.read_text("utf-8"))
        if isinstance(table, dict):
            return table
        reason = "not an object"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = str(error)
    raise InputError(f"{path}: no table of a ladder ({reason})")


def write(table: Table, path: Path) -> None:
    """Write the table to `path`, and the same as a page of Markdown beside it.

    OutputError where that fails.
    """
    ordered = {name: table[name] for name in sorted(table)}
    try:
        path.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
        path.with_suffix(".md").write_text(page(ordered), "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def page(table: Table) -> str:
    """The table as a page of Markdown."""
    lines = [
        "# The ladder",
        "",
        "Can a network learn one photograph by heart, then two of different sizes? "
        f"Learned is a mean squared error of ab / 128 below {LOSS:g} and below {SHARE:.0%} of the "
        "photograph's variance of ab (networks of bins: the second alone); of two photographs the "
        "worse one is shown. The figures are of the network as it is used, in evaluation mode. "
        "[What the words mean, and how to repeat it](cli.md#retint-overfit).",
        "",
        "| network | parameters | sees | one photograph | two photographs | seconds | settings |",
        "| --- | ---: | --- | --- | --- | ---: | --- |",
    ]
    return "\n".join([*lines, *(_line(name, values) for name, values in table.items())]) + "\n"


def _line(name: str, values: Mapping[str, Any]) -> str:
    if "failed" in values:
        return f"| `{name}` | | | failed: {values['failed']} | | | |"
    height, width = values["field"]
    rungs = [_rung(rung) for rung in values["rungs"]] + ["not tried"]
    seconds = sum(rung["seconds"] for rung in values["rungs"])
    settings = ", ".join(f"{k} {v:g}" for k, v in values["settings"].items() if v is not None)
    return (
        f"| `{name}`{' (bins)' if values['aim'] == 'bins' else ''} | {values['parameters']:,} | "
        f"{width}x{height} | {rungs[0]} | {rungs[1]} | {seconds:.0f} | {settings} |"
    )


def _rung(rung: Mapping[str, Any]) -> str:
    worst = max(rung["pictures"], key=lambda p: p["loss"] / p["variance"])
    share = worst["loss"] / worst["variance"]
    return f"**{rung['verdict']}** {worst['loss']:.1e}, {share:.1%}, {rung['steps']} steps"
