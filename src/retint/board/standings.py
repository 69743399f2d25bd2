"""Who stands where, with ranks that say how sure they are: everything that a page needs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from retint.board.claims import Tested, difference
from retint.board.plan import PICTURES, Network
from retint.board.trained import State

Group = Literal["all", "fewer", "unfinished"]
GROUPS: tuple[Group, ...] = ("all", "fewer", "unfinished")
"""Networks that can be compared: those that have seen all their pictures, those that were to see
fewer than the others and have, and the rest."""

MEASURE = "delta_e"
BASELINES = ("grey", "mean colour")
FIGURES = (
    "delta_e", "psnr", "psnr_ab", "ssim", "colourfulness_ratio", "auc_rebalanced", "auc", "chroma",
    "bias_a", "bias_b",
)  # fmt: skip
"""Kept of a judgement; the rest is in the judgement itself."""


@dataclass(frozen=True)
class Line:
    """A network on the board: what it is, how far its training is, its parameters where known.

    judged: its row of each set's judgement (`bench --json`), by the set's name.
    """

    network: Network
    state: State
    parameters: int | None = None
    judged: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])


def board(
    lines: Sequence[Line],
    judgements: Mapping[str, Mapping[str, Any]],
    tests: Sequence[Tested] = (),
    *,
    pictures: int = PICTURES,
    beside: Sequence[str] = BASELINES,
    circumstances: Mapping[str, Any],
    remarks: str = "",
) -> dict[str, Any]:
    """Everything as plain values for JSON.

    judgements: `bench --json` by the set's name, the first one the set that ranks. Networks are
    ranked among those of their group (`group`), those not judged last. pictures: what the plan
    shows to everyone.
    beside: rows of the judgements that have no rank.
    """
    first = next(iter(judgements), "")
    rows = {set_: rows_of(found) for set_, found in judgements.items()}
    found: list[dict[str, Any]] = []
    for chosen in GROUPS:
        members = [
            line
            for line in lines
            if group(line.state.ended, line.network.pictures, pictures) == chosen
        ]
        ranks = ranked({line.network.name: line.judged.get(first) for line in members})
        members.sort(key=lambda line: _order(line, first))
        found += [_line(line, ranks.get(line.network.name), rows) for line in members]
    return {
        "pictures": pictures,
        "circumstances": dict(circumstances),
        "sets": {
            set_: {k: about for k, about in found["set"].items() if k != "files"}
            for set_, found in judgements.items()
        },
        "networks": found,
        "beside": {
            set_: {name: _kept(of[name]) for name in beside if name in of}
            for set_, of in rows.items()
        },
        "claims": [_test(test) for test in tests],
        "remarks": remarks,
    }


def group(finished: bool, wanted: int, pictures: int) -> Group:
    """Which table a network belongs to, that is to be shown `wanted` pictures where everyone is
    shown `pictures`."""
    return "unfinished" if not finished else "all" if wanted >= pictures else "fewer"


def rows_of(judgement: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The rows of a judgement by their names."""
    return {row["name"]: row for row in judgement["rows"]}


def ranked(rows: Mapping[str, Mapping[str, Any] | None]) -> dict[str, tuple[int, int]]:
    """First and last rank that each judged network may have, by its name.

    One is behind another where the paired difference of their mean CIEDE2000 is beyond doubt
    (95 %): a rank runs from one more than those surely better to all but those surely worse.
    """
    there = {name: row for name, row in rows.items() if row}
    found: dict[str, tuple[int, int]] = {}
    for name, row in there.items():
        less = [difference(row, other, MEASURE) for rival, other in there.items() if rival != name]
        better = sum(one.above for one in less)
        worse = sum(one.below for one in less)
        found[name] = better + 1, len(there) - worse
    return found


def no_better_than(row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which of the baselines, its own colours shuffled among them, a row's dE is not surely
    below."""
    shuffled = {"shuffled": rows.get(f"{row['name']}, shuffled")}
    baselines = {name: rows.get(name) for name in BASELINES} | shuffled
    return [
        name
        for name, baseline in baselines.items()
        if baseline and not difference(row, baseline, MEASURE).below
    ]


def _order(line: Line, set_: str) -> tuple[float, str]:
    row = line.judged.get(set_)
    return (row["figures"][MEASURE]["value"] if row else float("inf")), line.network.name


def _line(
    line: Line, rank: tuple[int, int] | None, rows: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    last = list(line.judged.values())[-1] if line.judged else None
    return {
        "name": line.network.name,
        "finished": line.state.ended,
        "failed": line.state.failed,
        "rank": list(rank) if rank else None,
        "parameters": line.parameters,
        "pictures": line.state.pictures,
        "wanted": line.network.pictures,
        "cpu_minutes": round(line.state.cpu_minutes, 2),
        "ms": last["figures"].get("ms_median") if last else None,
        "figures": {set_: _kept(row) for set_, row in line.judged.items()},
        "no_better_than": {
            set_: no_better_than(row, rows[set_]) for set_, row in line.judged.items()
        },
        "note": line.network.note,
    }


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row["figures"][name] for name in FIGURES if name in row["figures"]}


def _test(test: Tested) -> dict[str, Any]:
    claim = test.claim
    return {
        "name": claim.name,
        "seed": claim.seed,
        "says": claim.says,
        "compares": claim.compares,
        "of": list(claim.of),
        "against": list(claim.against),
        "measure": claim.measure,
        "expects": claim.expects,
        "margin": claim.margin,
        "verdict": test.verdict,
        "differences": [asdict(found) for found in test.differences],
        "not_judged": list(test.left_out),
    }
