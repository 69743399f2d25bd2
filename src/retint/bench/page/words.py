"""What the page says in sentences: who is nearest, on which pictures, when and with what."""

import math
from collections.abc import Sequence
from html import escape

from retint.bench.page.judgement import Judgement, Plain, Row, number, table

BASELINE_NAMES = {
    "grey": "grey",
    "mean colour": "one mean colour everywhere",
    "shuffled": "its own colours shuffled between the pictures",
}


def title(judgement: Judgement) -> str:
    """The page's title, not escaped."""
    names = [row.name for row in judgement.contestants] or list(table(judgement.found, "film"))
    count = len(judgement.files) or len(judgement.found.get("files", ()))
    who = names[0] if len(names) == 1 else f"{len(names)} ways of colouring"
    return f"{who}, judged on {count:,} {'picture' if count == 1 else 'pictures'}"


def verdict(judgement: Judgement) -> str:
    """Who is nearest to the truth, and what of that is certain; HTML."""
    ranked = [row for row in judgement.contestants if "delta_e" in row.figures]
    if not ranked:
        return ""
    first, others = ranked[0], ranked[1:]
    dE = first.figures["delta_e"]
    has = "is nearest to the true colours, with" if others else "has"
    said = [f"{_strong(first)} {has} a mean dE of {dE.value:.2f}"]
    if math.isfinite(dE.low):
        said.append(f" (95 % {dE.low:.2f} to {dE.high:.2f})")
    said.append(". ")
    if others:
        equal = [row for row in others if frozenset((first.name, row.name)) in judgement.ties]
        if equal:
            said.append(f"It cannot be told from {joined([_strong(row) for row in equal])}. ")
        else:
            said.append("No other comes as near, beyond doubt. ")
    said.append(_baselines(first))
    ratio = first.value("colourfulness_ratio")
    if math.isfinite(ratio):
        said.append(f" Its colourings are {ratio:.2f} times as colourful as the truth.")
    return "".join(said)


def facts(judgement: Judgement) -> list[tuple[str, str]]:
    """The set, date, commit, hardware: terms and HTML."""
    found, about = judgement.found, judgement.about
    said: list[tuple[str, str]] = []
    if judgement.files:
        name = f"{escape(str(about['name']))}, " if about.get("name") else ""
        said.append(("Set", f"{name}{len(judgement.files):,} pictures"))
    if about.get("sha256"):
        digest = escape(str(about["sha256"]))
        said.append(("Set’s sha256", f'<code title="{digest}">{digest[:12]}</code>'))
    if math.isfinite(true := number(about.get("true_colourfulness"))):
        said.append(("Colourfulness of the truth", f"{true:.1f}"))
    if about.get("mean_ab_of"):
        said.append(("Mean colour of", escape(str(about["mean_ab_of"]))))
    if found.get("date"):
        said.append(("Date", escape(str(found["date"])[:10])))
    if found.get("commit"):
        commit = str(found["commit"])
        changed = " with changes" if commit.endswith("+") else ""
        said.append(
            ("Commit", f'<code title="{escape(commit)}">{escape(commit[:10])}</code>{changed}')
        )
    if found.get("processor"):
        threads = found.get("threads")
        many = f", {threads} threads" if threads else ""
        said.append(("Processor", escape(f"{found['processor']}{many}")))
    devices = {str(m["device"]) for m in table(found, "models").values() if m.get("device")}
    if devices:
        said.append(("Device", escape(", ".join(sorted(devices)))))
    if versions := table(found, "versions"):
        text = ", ".join(f"{name} {version}" for name, version in versions.items())
        said.append(("Versions", escape(text)))
    return said


def left_out(judgement: Judgement) -> str:
    """Pictures that nobody was judged on, and those that a contestant has no colouring of; HTML."""
    unread = table(judgement.about, "left_out")
    parts: list[str] = []
    if unread:
        parts.append(_reasons(f"Left out of the set: {_pictures(len(unread))}", unread))
    elif judgement.files:
        parts.append("<p>Nothing was left out of the set.</p>")
    if failed := table(judgement.found, "failed"):
        parts.append(_reasons("Failed, and judged on nothing", failed))
    for row in judgement.rows:
        if row.left_out and row.kind != "shuffled":
            lacks = f"{row.name}: no usable colouring of {_pictures(len(row.left_out))}"
            parts.append(_reasons(lacks, row.left_out))
        if row.extra:
            files = dict.fromkeys(row.extra, "belongs to no picture of the set")
            parts.append(_reasons(f"{row.name}: {len(row.extra)} more in the folder", files))
    return "".join(parts)


def costs(judgement: Judgement) -> str:
    """What was timed; HTML."""
    what = table(judgement.found, "libvips").get("what")
    said = "Measured in the same run on the same machine"
    said += f": {escape(str(what))}, from file to file. " if what else ". "
    return said + "libvips decodes and encodes it and does nothing else."


def notes(judgement: Judgement) -> str:
    """What the evaluation and its further judges say of themselves; HTML."""
    said = [judgement.found.get("notes"), *judgement.found.get("judges", ())]
    return "".join(f"<p>{escape(str(note))}</p>" for note in said if note)


def _reasons(summary: str, reasons: Plain) -> str:
    lines = "".join(
        f"<li><b>{escape(file)}</b> {escape(str(why))}</li>" for file, why in reasons.items()
    )
    return f"<details><summary>{escape(summary)}</summary><ul>{lines}</ul></details>"


def _baselines(row: Row) -> str:
    if not row.no_better_than:
        return "It beats grey, the mean colour and its own colours shuffled."
    names = [escape(BASELINE_NAMES.get(other, other)) for other in row.no_better_than]
    return f"By dE it is <em>no better than {joined(names)}</em>."


def _pictures(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"


def _strong(row: Row) -> str:
    return f"<strong>{escape(row.name)}</strong>"


def joined(names: Sequence[str], word: str = "and") -> str:
    """Names in a sentence: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
