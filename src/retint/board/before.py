"""A page made before, some of whose trainings are not kept: what it says of them still holds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retint.board.standings import GROUPS, group
from retint.errors import InputError


def load(path: Path) -> dict[str, Any]:
    """The JSON of an earlier page. InputError where it is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
        if {"circumstances", "sets", "networks", "beside", "claims"} <= found.keys():
            return found
        reason = "not a leaderboard's"
    except (OSError, ValueError, AttributeError) as error:
        reason = str(error)
    raise InputError(f"{path}: cannot be taken over ({reason})")


def taken_over(found: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`standings.board` with what an earlier one says of networks that have not begun here, if they
    were to see as many pictures, and of claims that are not tested here.

    Only judgements of the pictures that others are judged by here are taken over. Such a line and
    such a claim say when they were `made`. A group of which a part was taken over has no ranks:
    they come of differences picture by picture, which the page does not have.
    """
    pictures = found["pictures"]
    made = before["circumstances"]["date"]
    kept = {
        line["name"]: {"made": made, **line}
        for line in before["networks"]
        if _same_sets(line, found, before)
    }
    lines = [_line(line, kept.get(line["name"])) for line in found["networks"]]
    ordered: list[dict[str, Any]] = []
    for chosen in GROUPS:
        members = [n for n in lines if group(n["finished"], n["wanted"], pictures) == chosen]
        if len({"made" in line for line in members if line["figures"]}) > 1:
            members = [{**line, "rank": None} for line in members]
        ordered += sorted(members, key=_error)
    claims = {claim["name"]: {"made": made, **claim} for claim in before["claims"]}
    return {
        **found,
        "sets": {**before["sets"], **found["sets"]},
        "beside": {**before["beside"], **found["beside"]},
        "networks": ordered,
        "claims": [
            claim if claim["differences"] else claims.get(claim["name"], claim)
            for claim in found["claims"]
        ],
    }


def _same_sets(
    line: Mapping[str, Any], found: Mapping[str, Any], before: Mapping[str, Any]
) -> bool:
    def about(page: Mapping[str, Any], name: str) -> tuple[Any, ...]:
        return page["sets"][name].get("sha256"), page["sets"][name].get("pictures")

    both = [name for name in line["figures"] if name in found["sets"]]
    return all(about(found, name) == about(before, name) for name in both)


def _line(here: dict[str, Any], there: dict[str, Any] | None) -> dict[str, Any]:
    begun = here["pictures"] or here["failed"]
    return here if begun or there is None or there["wanted"] != here["wanted"] else there


def _error(line: Mapping[str, Any]) -> float:
    """On the first set, for the order."""
    figures = next(iter(line["figures"].values()), None)
    return figures["delta_e"]["value"] if figures else float("inf")
