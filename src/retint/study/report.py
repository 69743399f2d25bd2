"""A study's findings in words: Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

MEASURE = {
    "real-or-fake": "took the original for made up",
    "name": "recognised",
}

INTERVALS = (
    "In brackets: 95 % ranges, at each end the wider of two: judges resampled (2000 times), and "
    "every answer on its own."
)


def markdown(found: Mapping[str, Any]) -> str:
    """The report of what `figures.found` gave."""
    parts = [f"# {found['title']}", _who(found), _rules(found)]
    if "rows" not in found:
        return "\n\n".join([*parts, "No answer counts yet."])
    if found["kind"] == "prefer":
        parts += [_strengths(found["rows"]), _pairs(found["pairs"])]
    else:
        parts += [_rates(found)]
    parts += [_differences(found), INTERVALS, _agreement(found)]
    if found["kind"] != "prefer":
        parts += [_pictures(found)]
    return "\n\n".join(part for part in parts if part)


def _who(found: Mapping[str, Any]) -> str:
    people, answers = found["judges"], found["answers"]
    text = (
        f"Judges who began: {people['began']}, counted: {people['counted']}; {answers['counted']} "
        f"answers to {found['pictures']['test']} pictures."
    )
    text += _left_out(" Judges left out: ", people["left_out"])
    text += _left_out(" Answers left out: ", answers["left_out"])
    if answers["median_reaction_ms"] is not None:
        text += f" Median time to answer: {answers['median_reaction_ms'] / 1000:.1f} s."
    return text


def _left_out(label: str, reasons: Mapping[str, int]) -> str:
    return label + "; ".join(f"{n} ({why})" for why, n in reasons.items()) + "." if reasons else ""


def _rules(found: Mapping[str, Any]) -> str:
    settings = found["settings"]
    passed = f"{100 * settings['catch_pass']:.0f} % of {settings['catch']} catch trials"
    rules = [f"Rules set before the study: a judge counts who finished and got {passed} right"]
    if settings["exposure_ms"]:
        rules.append(
            f"each picture is shown once, for {settings['exposure_ms']} ms; answers to pictures "
            f"shown {settings['exposure_tolerance_ms']} ms more or less, or again, are left out"
        )
    text = "; ".join(rules) + "."
    if found["rules_changed"]:
        text += " **The rules were changed after the first judge had begun.**"
    return text


def _rates(found: Mapping[str, Any]) -> str:
    rows = [
        [row["name"], _percent(row["rate"]), str(row["n"]), _seconds(row["median_reaction_ms"])]
        for row in found["rows"]
    ]
    note = {
        "real-or-fake": "50 % is what colours get that nobody can tell from the real ones.",
        "name": "",
    }[found["kind"]]
    table = _table(["", MEASURE[found["kind"]], "answers", "time"], rows)
    return f"{table}\n\n{note}".strip()


def _strengths(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        [
            row["name"],
            _number(row["strength"]),
            f"{100 * row['preferred']:.0f} %",
            str(row["chosen"]),
            str(row["tied"]),
            str(row["n"]),
        ]
        for row in rows
    ]
    heads = ["", "strength", "preferred to another", "chosen", "tied", "of"]
    return (
        _table(heads, cells) + "\n\nStrength: Bradley-Terry, logits about a mean of 0; a "
        "difference of 1 is odds of 2.7 to 1."
    )


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [f"{p['a']} : {p['b']}", f"{p['a_chosen']} : {p['b_chosen']}", str(p["tied"])]
        for p in pairs
    ]
    return _table(["pair", "chosen", "tied"], rows)


def _differences(found: Mapping[str, Any]) -> str:
    if not found["differences"]:
        return ""
    show = _number if found["kind"] == "prefer" else _points
    rows = [
        [f"{d['a']} − {d['b']}", show(d), "yes" if d["apart"] else "no"]
        for d in found["differences"]
    ]
    return _table(["difference", "", "can be told apart"], rows)


def _agreement(found: Mapping[str, Any]) -> str:
    parts: list[str] = []
    if found["agreement"] is not None:
        parts.append(
            "Agreement between judges asked the same: Krippendorff's alpha "
            f"{found['agreement']:.2f} (1 always, 0 as by chance)."
        )
    if "chose_left" in found:
        parts.append(f"The first picture was chosen in {_percent(found['chose_left'])}.")
    return " ".join(parts)


def _pictures(found: Mapping[str, Any]) -> str:
    titles = ("Most recognised", "Least recognised")
    if found["kind"] == "real-or-fake":
        titles = ("Most fooling", "Most obvious")
    heads = ["picture", "coloured by", MEASURE[found["kind"]]]
    parts: list[str] = []
    for title, rows in zip(titles, (found["most"], found["fewest"]), strict=True):
        cells = [[row["file"], row["name"], f"{row['hits']} of {row['n']}"] for row in rows]
        parts.append(f"## {title}\n\n{_table(heads, cells)}")
    return "\n\n".join(parts)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _percent(found: Mapping[str, float]) -> str:
    value, low, high = (100 * found[key] for key in ("value", "low", "high"))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"


def _points(found: Mapping[str, float]) -> str:
    value, low, high = (100 * found[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def _number(found: Mapping[str, float]) -> str:
    return f"{found['value']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}]"


def _seconds(ms: float | None) -> str:
    return "" if ms is None else f"{ms / 1000:.1f} s"
