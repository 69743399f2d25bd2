"""The leaderboard: recipes cut alike, trainings that go on, ranks, claims, the page."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from retint.apart import apart
from retint.bench.statistics import Difference
from retint.board import before as earlier
from retint.board import judging, standings, trained
from retint.board import plan as plans
from retint.board.before import taken_over
from retint.board.claims import decided, together, weigh
from retint.board.page import page
from retint.board.plan import Claim, Network
from retint.board.standings import Line, board, ranked
from retint.board.trained import State
from retint.cli import main
from retint.data.corpus import Corpus
from retint.errors import InputError, OptionsError
from retint.models import families
from retint.train import recipe as recipes
from retint.train.recipe import Recipe, Schedule, Stage
from retint.train.short import BATCH, RATES, SIDE, short, short_of
from retint.train.spell import spell
from test_corpus import sharded

ROOT = Path(__file__).parent.parent
PLAN = ROOT / "benchmarks" / "leaderboard.toml"
CLAIMS = ROOT / "benchmarks" / "claims.toml"


# ---- recipes


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_is_cut_to_the_same_pictures(path: Path):
    whole = recipes.load(path)
    cut = short(whole)
    steps = [stage.schedule.steps for stage in cut.course if stage.schedule]
    assert sum(steps) * BATCH == 6400
    assert min(steps) >= 1
    assert [stage.name for stage in cut.course] == [stage.name for stage in whole.course]
    assert [stage.loss for stage in cut.course] == [stage.loss for stage in whole.course]
    assert cut.film.plain == 1.0
    assert cut.data.sizes[0] >= SIDE
    assert cut.data.sizes[0] in (96, 128, 256)
    assert RATES[0] <= cut.optimiser.rate <= RATES[1]
    assert recipes.from_dict(recipes.to_dict(cut)) == cut


def test_stages_keep_their_shares_and_at_least_a_step():
    stages = tuple(
        Stage(name, schedule=Schedule(epochs=epochs))
        for name, epochs in (("long", 3.0), ("half of it", 1.5), ("a moment", 0.001))
    )
    cut = short(Recipe("staged", stages=stages), pictures=3200)
    assert [s.schedule.steps for s in cut.course if s.schedule] == [66, 33, 1]


def test_stages_of_different_units_are_refused():
    stages = (Stage("a", schedule=Schedule(epochs=1.0)), Stage("b", schedule=Schedule(minutes=1.0)))
    with pytest.raises(OptionsError, match="different units"):
        short(Recipe("staged", stages=stages))


def test_changes_count_more_than_what_is_common():
    path = ROOT / "recipes" / "deep-cnn.toml"
    cut = short_of(path, ("data.sizes=[64]", "variant=raw", "validation.stop=true"), pictures=64)
    assert (cut.data.sizes, cut.variant, cut.validation.stop) == ((64,), "raw", True)
    assert cut.schedule.steps == 2


# ---- trainings


def tiny(folder: Path, family: str, more: str = "") -> Path:
    path = folder / f"{family}.toml"
    path.write_text(f'family = "{family}"\nvariant = "tiny"\nloss = {{ mse = 1.0 }}\n{more}')
    return path


def test_a_training_that_ran_out_of_time_goes_on_and_ends(tmp_path: Path):
    corpus = sharded(tmp_path)
    network = Network("basic", tiny(tmp_path, "basic"), pictures=9600)
    recipe = short_of(network.recipe, pictures=network.pictures)
    recipe = replace(recipe, data=replace(recipe.data, sizes=(32,)))
    folder = tmp_path / "runs" / "basic"
    first = spell(recipe, corpus, folder, cpu_minutes=0, threads=1)
    assert not first.ended
    assert 0 < first.pictures < 9600
    state = trained.read(tmp_path / "runs", network)
    assert (state.pictures, state.ended) == (first.pictures, False)
    second = spell(recipe, corpus, folder, cpu_minutes=5, threads=1)
    assert (second.pictures, second.ended) == (9600, True)
    state = trained.read(tmp_path / "runs", network)
    assert (state.pictures, state.ended) == (9600, True)
    assert state.cpu_minutes == pytest.approx(first.cpu_minutes + second.cpu_minutes)
    both = replace(network, name="both", average=("basic", "absent"))
    assert trained.read(tmp_path / "runs", both) == State(0, state.cpu_minutes, False)


def test_what_went_wrong_is_kept_until_it_goes_well(tmp_path: Path):
    network = Network("a", tmp_path / "a.toml", 1)
    trained.note(tmp_path / "a", "no memory")
    assert trained.read(tmp_path, network).failed == "no memory"
    trained.note(tmp_path / "a", "")
    assert trained.read(tmp_path, network) == State()
    (tmp_path / "a" / "spells.csv").write_text("date,pictures\n1,many\n")
    with pytest.raises(InputError, match="cannot be read"):
        trained.read(tmp_path, network)


def _dies() -> None:
    import os

    os._exit(7)


def _refuses() -> None:
    raise InputError("a.jpg: no")


def test_work_apart_says_what_went_wrong():
    assert apart(_refuses) == "a.jpg: no"
    assert "died (7)" in apart(_dies)


# ---- plans


def test_the_board_has_every_family_and_the_claims_name_what_there_is():
    plan = plans.load(PLAN)
    shown = [
        recipes.load(network.recipe, network.changes).family
        for network in plan.networks.values()
        if not network.average
    ]
    assert sorted([*shown, "mix"]) == families()
    claimed = plans.load(CLAIMS, plan.networks)
    there = {*plan.networks, *claimed.networks, *standings.BASELINES}
    for claim in claimed.claims:
        assert {*claim.of, *claim.against} <= there, claim.name
    for network in claimed.networks.values():
        cut = short_of(network.recipe, network.changes, pictures=network.pictures)
        assert cut.validation.share >= 0.05  # what is judged by is apart


def test_a_family_that_the_plan_does_not_know_of_is_on_the_board(tmp_path: Path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    for family in ("batch", "newcomer"):
        tiny(folder, family)
    tiny(folder, "batch").rename(folder / "batch-longer.toml")
    tiny(folder, "batch")
    (tmp_path / "plan.toml").write_text(
        "pictures = 64\nrecipes = 'recipes'\n"
        "[[networks]]\nname = 'b'\nrecipe = 'recipes/batch.toml'"
    )
    networks = plans.load(tmp_path / "plan.toml").networks
    assert list(networks) == ["b", "newcomer"]
    assert networks["newcomer"] == Network("newcomer", folder / "newcomer.toml", 64)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[networks]]\nrecipe = 'a'", "without a name"),
        ("[[networks]]\nname = 'a'\nspeed = 1", "unknown key 'speed'"),
        ("[[networks]]\nname = 'a'\n[[networks]]\nname = 'a'", "two networks"),
        ("[[networks]]\nname = 'a'\naverage = ['b']", "averages b"),
        ("[[claims]]\nname = 'c'\nexpects = 'less'", "says nothing of"),
        ("[[claims]]\nname = 'c'\nexpects = 'better'", "expects is one of less, more, same"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path: Path, text: str, why: str):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(OptionsError, match=why):
        plans.load(tmp_path / "plan.toml")


# ---- ranks and claims


def row(name: str, mean: float, *, spread: float = 1.0, noise: float = 0.1) -> dict[str, Any]:
    """A row of a judgement: 60 pictures, harder and easier ones, and a network's own noise."""
    random = np.random.default_rng(len(name))
    values = mean + spread * np.linspace(-1, 1, 60) + random.normal(0, noise, 60)
    figures = {"delta_e": {"value": float(values.mean()), "low": 0.0, "high": 0.0}}
    return {"name": name, "kind": "model", "figures": figures,
            "per_picture": {"delta_e": values.tolist()}}  # fmt: skip


def test_ranks_tell_apart_what_can_be_told_apart():
    rows = {name: row(name, mean) for name, mean in (("a", 8.0), ("b", 9.0), ("c", 9.0))}
    rows["c"]["per_picture"] = {"delta_e": rows["b"]["per_picture"]["delta_e"][::-1]}
    rows["c"]["per_picture"]["delta_e"][0] = None  # a picture that it could not colour
    assert ranked({**rows, "unjudged": None}) == {"a": (1, 1), "b": (2, 3), "c": (2, 3)}


def difference(value: float, half: float, pictures: int = 50) -> Difference:
    return Difference(value, value - half, value + half, pictures)


@pytest.mark.parametrize(
    ("found", "expects", "verdict"),
    [
        (difference(-0.5, 0.2), "less", "confirmed"),
        (difference(-0.5, 0.2), "more", "refuted"),
        (difference(0.5, 0.2), "less", "refuted"),
        (difference(0.1, 0.2), "less", "undecided"),
        (difference(-0.5, 0.2, pictures=4), "less", "undecided"),
        (difference(0.02, 0.1), "same", "confirmed"),
        (difference(0.1, 0.2), "same", "undecided"),
        (difference(-0.9, 0.2), "same", "refuted"),
    ],
)
def test_what_one_difference_says(found: Difference, expects: Any, verdict: str):
    assert decided(found, expects, 0.25) == verdict


def test_a_claim_needs_all_its_seeds():
    assert together(["confirmed", "confirmed"]) == "confirmed"
    assert together(["confirmed", "undecided"]) == "undecided"
    assert together(["confirmed", "refuted"]) == "undecided"
    assert together([]) == "not tested yet"
    claim = Claim("c", "000", "a helps", ("a-0", "a-1"), ("mean colour",), "delta_e", "less")
    judged = {"a-0": row("a-0", 8), "mean colour": row("mean colour", 9)}
    found = weigh(claim, judged)
    assert (found.verdict, len(found.differences), found.left_out) == ("confirmed", 1, ("a-1",))
    found = weigh(claim, {**judged, "a-1": row("a-1", 9.5)})
    assert (found.verdict, len(found.differences)) == ("undecided", 2)
    assert weigh(claim, {}).verdict == "not tested yet"


def test_the_page_ranks_the_unfinished_apart():
    rows = [row("good", 8.0), row("better", 7.0), row("early", 6.0), row("grey", 9.0),
            row("early, shuffled", 5.0)]  # fmt: skip
    judged = {r["name"]: r for r in rows}

    def line(name: str, state: State) -> Line:
        network = Network(name, Path("r.toml"), 6400, note=f"about {name}")
        return Line(network, state, 12_345, {"validation": judged[name]})

    claim = Claim("c", "000", "better is better", ("better",), ("good",), "delta_e", "less")
    found = board(
        [line("good", State(6400, 1.0, True)), line("better", State(6400, 2.0, True)),
         line("early", State(64, 0.5, False)),
         Line(Network("absent", Path("r.toml"), 6400), State(failed="no memory"))],
        {"validation": {"set": {"pictures": 60, "files": ["a"]}, "rows": rows}},
        [weigh(claim, judged)],
        circumstances={"date": "2020-01-01T00:00:00"},
        remarks="All brown.",
    )  # fmt: skip
    assert json.loads(json.dumps(found))["networks"][0]["rank"] == [1, 1]
    text = page(found, "retint leaderboard", "found.json", ["curves.svg"])
    top, unfinished = text.split("## Unfinished")
    assert top.index("| 1 | `better` | 12,345 | 6,400 |") < top.index("| 2 | `good` |")
    assert "| 8.99 (" in next(line for line in top.splitlines() if line.startswith("|  | *grey* |"))
    assert "| 1 | `early` | 12,345 | 64 of 6,400 |" in unfinished
    assert "| shuffled |" in unfinished
    assert "`absent` failed: no memory" in unfinished
    assert "| 000 | better is better |" in unfinished
    assert "**confirmed** by one training |" in unfinished
    assert "All brown." in text
    assert "](curves.svg)" in text
    assert "](found.json)" in text


def test_networks_too_slow_for_all_pictures_have_a_table_of_their_own():
    rows = {r["name"]: r for r in (row("all of them", 8.0), row("fewer", 7.0), row("grey", 9.0))}

    def line(name: str, pictures: int) -> Line:
        network = Network(name, Path("r.toml"), pictures)
        return Line(network, State(pictures, 1.0, True), 1, {"validation": rows[name]})

    found = board(
        [line("fewer", 320), line("all of them", 6400)],
        {"validation": {"set": {"pictures": 60}, "rows": list(rows.values())}},
        circumstances={"date": "2020-01-01T00:00:00"},
    )
    assert [n["rank"] for n in found["networks"]] == [[1, 1], [1, 1]]
    top, below = page(found, "c", "j", []).split("## Those for which these are too many")
    assert "`all of them` | 1 | 6,400 |" in top
    assert "`fewer` | 1 | 320 |" in below
    assert "*grey*" in top
    assert "*grey*" in below


# ---- pages made before


def paged(pictures: Mapping[str, tuple[int, float]], sha256: str = "s") -> dict[str, Any]:
    """A page of networks with so many pictures seen, of 64, and such errors."""
    rows = {name: row(name, error) for name, (_, error) in pictures.items()}
    claim = Claim("c", "000", "a is better", ("a",), ("b",), "delta_e", "less")
    judged = {name: r for name, r in rows.items() if pictures[name][0] == 64}
    return board(
        [
            Line(
                Network(name, Path("r.toml"), 64),
                State(seen, 1.0, seen == 64),
                1,
                {"validation": rows[name]} if seen else {},
            )
            for name, (seen, _) in pictures.items()
        ],
        {"validation": {"set": {"pictures": 60, "sha256": sha256}, "rows": list(rows.values())}},
        [weigh(claim, judged)],
        pictures=64,
        circumstances={"date": "2020-01-01T00:00:00"},
    )


def test_what_a_page_said_before_stays_where_its_trainings_are_gone():
    before = paged({"a": (64, 7.0), "b": (64, 8.0), "c": (32, 6.0)})
    here = paged({"a": (0, 0), "b": (0, 0), "c": (0, 0), "d": (0, 0)})
    found = taken_over(here, before)
    lines = {line["name"]: line for line in found["networks"]}
    assert lines["a"]["figures"] == before["networks"][0]["figures"]
    assert (lines["a"]["rank"], lines["b"]["rank"]) == ([1, 1], [2, 2])
    assert lines["a"]["made"] == "2020-01-01T00:00:00"
    assert [lines[name]["pictures"] for name in "cd"] == [32, 0]
    assert found["claims"][0]["verdict"] == "confirmed"
    text = page(found, "c", "j", [])
    assert "Taken over from 2020-01-01: `a`, `b`, `c`, claims." in text
    # and from that page again, with the date of the first
    again = taken_over(paged({"a": (0, 0), "b": (64, 8.0), "c": (0, 0)}), found)
    assert {n["name"]: n["rank"] for n in again["networks"]} == {"a": None, "b": None, "c": [1, 1]}
    assert again["networks"][0]["made"] == "2020-01-01T00:00:00"


def test_nothing_is_taken_over_from_other_pictures_or_from_what_is_no_page(tmp_path: Path):
    here = paged({"a": (0, 0), "b": (64, 8.0)})
    found = taken_over(here, paged({"a": (64, 7.0), "b": (64, 9.0)}, sha256="others"))
    assert [line["pictures"] for line in found["networks"]] == [64, 0]
    (tmp_path / "page.json").write_text("[]")
    with pytest.raises(InputError, match="cannot be taken over"):
        earlier.load(tmp_path / "page.json")


def test_a_class_is_judged_by_what_its_networks_were_not_shown(tmp_path: Path):
    corpus = Corpus(sharded(tmp_path, 60))
    known, apart = corpus.split(judging.HELD_OUT)
    shown = judging.held_out(tmp_path, ["scene"])
    assert sorted(shown.files) == sorted(entry.name for entry in apart)
    assert known
    assert shown.open(shown.files[0]).lab.shape[2] == 3
    for name in ("golden", "golden-and-malamute"):
        network = plans.load(CLAIMS, plans.load(PLAN).networks).networks[f"{name}-0"]
        assert short_of(network.recipe, network.changes).validation.share >= judging.HELD_OUT


# ---- the whole


@pytest.mark.slow
def test_two_families_are_taught_judged_and_listed(tmp_path: Path):
    corpus, seen = sharded(tmp_path), tmp_path / "seen"
    seen.mkdir()
    for k in range(6):
        pixels = np.random.default_rng(k).integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((80, 60)).save(seen / f"{k}.png")
    for family in ("basic", "batch"):
        tiny(tmp_path, family)
    (tmp_path / "plan.toml").write_text(
        "pictures = 64\n"
        + "".join(
            f'[[networks]]\nname = "{name}"\nrecipe = "{name}.toml"\nset = ["data.sizes=[32]"]\n'
            for name in ("basic", "batch")
        )
        + '[[networks]]\nname = "both"\naverage = ["basic", "batch"]\n'
    )
    (tmp_path / "claims.toml").write_text(
        '[[claims]]\nname = "c"\nseed = "004"\nsays = "batch is better"\nof = "batch"\n'
        'against = "basic"\nmeasure = "delta_e"\nexpects = "less"\n'
    )
    words = ["leaderboard", tmp_path / "plan.toml", "--claims", tmp_path / "claims.toml", "--data",
             corpus, "--backbones", tmp_path, "--runs", tmp_path / "runs", "--validation", seen,
             "--threads", "1", "-o", tmp_path / "board.md"]  # fmt: skip
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "board.json").read_text())
    assert {line["name"] for line in found["networks"] if line["finished"]} == {
        "basic", "batch", "both"
    }  # fmt: skip
    assert all(line["figures"]["validation"]["delta_e"]["value"] > 0 for line in found["networks"])
    assert len(found["claims"][0]["differences"]) == 1
    assert (tmp_path / "board.svg").exists()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.onnx")}
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.onnx")}
    # on a machine without the trainings, from the page alone
    words[words.index("--runs") + 1] = tmp_path / "nothing"
    words += ["--cpu-minutes", "0", "--before", tmp_path / "board.json"]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    again = json.loads((tmp_path / "board.json").read_text())
    assert again["networks"] == [{"made": ANY, **line} for line in found["networks"]]
    assert again["claims"] == [{"made": ANY, **claim} for claim in found["claims"]]
    assert "](board.svg)" in (tmp_path / "board.md").read_text()
