"""The leaderboard as a page of Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from retint.board.standings import BASELINES, GROUPS, Group, group

COLUMNS = (
    "rank", "network", "parameters", "pictures", "ms", "CPU min", "dE validation", "dE eval",
    "colour", "AuC", "no better than",
)  # fmt: skip

TITLES: dict[Group, str] = {
    "all": "## Those that have seen all their pictures",
    "fewer": "## Those for which these are too many",
    "unfinished": "## Unfinished",
}


def page(found: Mapping[str, Any], command: str, json: str, curves: Sequence[str]) -> str:
    """What `standings.board` found, by a command. json, curves: names of files beside the page."""
    about = found["circumstances"]
    busy = about.get("load", 0) > about.get("threads", 1)
    parts = [
        "# The leaderboard",
        _introduction(found),
        f"Made {about['date'][:10]} by `{command}`; everything in figures is in [{json}]({json})."
        + (" Other programs ran too: times are upper bounds." if busy else ""),
        *_taken_over(found),
        *(part for chosen in GROUPS for part in _group(found, chosen)),
        _legend(found),
        *(f"![Measured during the trainings]({name})" for name in curves),
        *(["## What one sees", found["remarks"]] if found["remarks"] else ()),
        *(_claims(found["claims"]) if found["claims"] else ()),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(found: Mapping[str, Any]) -> str:
    fewer = any(line["wanted"] < found["pictures"] for line in found["networks"])
    sets = found["sets"]
    judged = " and ".join(
        f"{about['pictures']} of the set `{name}`" for name, about in sets.items()
    )
    return (
        f"Every network is to be shown {found['pictures']:,} pictures, with its own loss and "
        "otherwise all alike ([how](cli.md#retint-leaderboard))"
        + (
            "; one that is too slow for that is shown fewer, and ranked among its like"
            if fewer
            else ""
        )
        + ". That is minutes of training where "
        "their authors took days: the table says who learns fast, not who is good in the end. "
        f"Judged on {judged or 'nothing yet'}, from which none of them learned."
    )


def _taken_over(found: Mapping[str, Any]) -> list[str]:
    """What is older than the page, by its date."""
    older: dict[str, list[str]] = {}
    for line in found["networks"]:
        if "made" in line:
            older.setdefault(line["made"][:10], []).append(f"`{line['name']}`")
    for date in {claim["made"][:10] for claim in found["claims"] if "made" in claim}:
        older.setdefault(date, []).append("claims")
    return [f"Taken over from {date}: {', '.join(what)}." for date, what in sorted(older.items())]


def _group(found: Mapping[str, Any], chosen: Group) -> list[str]:
    """The table of a group, with the baselines below those that have seen all their pictures."""
    lines = [
        line
        for line in found["networks"]
        if group(line["finished"], line["wanted"], found["pictures"]) == chosen
    ]
    if not lines and chosen != "all":
        return []
    return _table(TITLES[chosen], lines, {} if chosen == "unfinished" else found["beside"])


def _table(
    title: str, lines: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    rows = [COLUMNS, ["---:", "---", *["---:"] * 8, "---"]]
    rows += [_row(line) for line in lines]
    names = dict.fromkeys(name for rows_of in baselines.values() for name in rows_of)
    for name in names:
        of = {set_: rows_of.get(name, {}) for set_, rows_of in baselines.items()}
        about = name if name in BASELINES else f"`{name}`, as released"
        rows.append(["", f"*{about}*", "", "", "", "", *_figures(of), ""])
    return [title, "\n".join(f"| {' | '.join(row)} |" for row in rows)]


def _row(line: Mapping[str, Any]) -> list[str]:
    name = f"`{line['name']}`"
    if line["failed"]:
        name += f" failed: {line['failed']}"
    return [
        _rank(line["rank"]),
        name,
        f"{line['parameters']:,}" if line["parameters"] else "",
        _seen(line),
        f"{line['ms']:.0f}" if line["ms"] else "",
        f"{line['cpu_minutes']:.1f}" if line["cpu_minutes"] else "",
        *_figures(line["figures"]),
        _no_better(line["no_better_than"]),
    ]


def _seen(line: Mapping[str, Any]) -> str:
    """How many pictures, and of how many where the training has not ended."""
    if line["finished"]:
        return f"{line['pictures']:,}"
    return f"{line['pictures']:,} of {line['wanted']:,}" if line["pictures"] else "not begun"


def _no_better(than: Mapping[str, Sequence[str]]) -> str:
    """Names of baselines; with the set's where it is so on one of two alone."""
    where: dict[str, list[str]] = {}
    for set_, names in than.items():
        for name in names:
            where.setdefault(name, []).append(set_)
    return ", ".join(
        name if len(sets) == len(than) else f"{name} ({', '.join(sets)})"
        for name, sets in where.items()
    )


def _rank(rank: Sequence[int] | None) -> str:
    if rank is None:
        return ""
    first, last = rank
    return f"{first}" if first == last else f"{first}..{last}"


def _figures(of: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """dE on both sets, and the rest on the last one that there is."""
    cells = [_interval(of.get(set_, {}).get("delta_e")) for set_ in ("validation", "eval")]
    last: Mapping[str, Any] = of.get("eval") or of.get("validation") or {}
    for measure, digits in (("colourfulness_ratio", 2), ("auc_rebalanced", 1)):
        figure = last.get(measure)
        cells.append(f"{figure['value']:.{digits}f}" if figure else "")
    return cells


def _interval(figure: Mapping[str, float] | None) -> str:
    if not figure:
        return ""
    return f"{figure['value']:.2f} ({figure['low']:.2f}..{figure['high']:.2f})"


def _legend(found: Mapping[str, Any]) -> str:
    notes = [f"- `{line['name']}`: {line['note']}" for line in found["networks"] if line["note"]]
    text = (
        "rank: on the validation set; from one more than those surely better to all but those "
        "surely worse, by paired differences of dE (95 %), so that networks of one rank cannot be "
        "told apart. ms: thumbnail, network and fit of one picture of the set, median. CPU min: "
        "processor time of the training. dE: mean CIEDE2000, with the interval that holds 95 % of "
        "the resamples of the pictures; the unfinished are not judged on `eval`, and those in "
        "their warm-up not at all. colour: colourfulness over the truth's. AuC: rebalanced "
        "([what these are](bench.md)). no better than: baselines that its dE is not surely below. "
        "Intervals are over pictures: another seed of the training would give another network."
    )
    return "\n\n".join([text, *(["\n".join(notes)] if notes else [])])


def _claims(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        ["seed", "claim", "compared", "difference, seed by seed", "verdict"],
        ["---", "---", "---", "---", "---"],
        *(_claim(claim) for claim in claims),
    ]
    return [
        "## What the seeds claim",
        "The projects behind retint drew conclusions that they could not measure. Each was tried "
        "on small networks and short trainings, judged on pictures that nobody learned from: the "
        "mean paired difference, the first less the second, with the interval that holds 95 % of "
        "the resamples of the pictures. That interval says nothing of other trainings, so a claim "
        "is confirmed, or refuted, only where all its training seeds say so; the verdict is about "
        "this scale alone.",
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
    ]


def _claim(claim: Mapping[str, Any]) -> list[str]:
    differences = "<br>".join(
        f"{d['value']:+.2f} ({d['low']:+.2f}..{d['high']:+.2f})" for d in claim["differences"]
    )
    if differences:
        within = f", the same: within {claim['margin']:g}" if claim["expects"] == "same" else ""
        differences = f"{claim['measure']}{within}: {differences}"
    return [
        claim["seed"],
        claim["says"],
        claim["compares"],
        differences,
        _verdict(claim),
    ]


def _verdict(claim: Mapping[str, Any]) -> str:
    trainings = len(claim["differences"])
    if not trainings:
        return claim["verdict"]
    return f"**{claim['verdict']}**" + (" by one training" if trainings == 1 else "")
