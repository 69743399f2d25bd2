"""What a leaderboard is about: networks to be taught alike, and claims about them; from TOML."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from retint.errors import InputError, OptionsError

PICTURES = 6400
"""What each network of a plan is shown."""

Expectation = Literal["less", "more", "same"]
EXPECTATIONS: tuple[Expectation, ...] = ("less", "more", "same")


@dataclass(frozen=True)
class Network:
    """One line of the board: a recipe, cut to `pictures`, with changes of its own on top; or an
    average of others' results (`average`, their names), which is not trained itself.

    classes: parts of labels; only pictures of these are learned from, and `epochs` counts in what
    they are. note: what a reader has to know.
    """

    name: str
    recipe: Path
    pictures: int
    changes: tuple[str, ...] = ()
    seed: int = 0
    average: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """What a seed found: that `measure` of the network `of` is less than, more than or the same as
    that of `against` (within `margin`), seed by seed of the training.

    of, against: names of networks, one for each training seed; `against` may be a baseline of the
    judgement, as "mean colour". classes: judged on held-out pictures of these alone.
    """

    name: str
    seed: str
    says: str
    of: tuple[str, ...]
    against: tuple[str, ...]
    measure: str
    expects: Expectation
    margin: float = 0.0
    classes: tuple[str, ...] = ()
    compares: str = ""


@dataclass(frozen=True)
class Plan:
    """Networks by name, in the order in which they are trained, claims about them, released models
    to stand beside them, remarks of those who looked at what came out; and how many pictures every
    network is shown that does not say otherwise."""

    networks: Mapping[str, Network]
    claims: tuple[Claim, ...] = ()
    references: tuple[str, ...] = ()
    remarks: str = ""
    pictures: int = PICTURES


def load(path: Path, known: Mapping[str, Network] | None = None) -> Plan:
    """Read a plan. InputError where it cannot be read, OptionsError for what it must not say.

    known: networks of another plan, of which averages and claims may speak too.

    `pictures` counts for all networks that do not say otherwise. `[[networks]]` have a `name`, and
    `recipe` (a path from the plan's folder; without one ../recipes/NAME.toml), `set`, `seeds`,
    `average`, `classes`, `note`; one with seeds stands for as many networks, NAME-0, NAME-1...
    recipes: a folder; what it has of families that no network of the plan is of, in a recipe of the
    family's name, belongs to the plan too, last.
    `[[claims]]` have `name`, `seed`, `says`, `of`, `against`, `measure`, `expects`, and may have
    `margin`, `classes`, `compares`.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    everyone = int(table.get("pictures", PICTURES))
    networks: dict[str, Network] = {}
    seeds: dict[str, int] = {}
    for row in _rows(path, table, "networks"):
        for network in _networks(path, row, everyone):
            if network.name in networks:
                raise OptionsError(f"{path}: two networks are called {network.name}")
            networks[network.name] = network
        seeds[str(row["name"])] = int(row.get("seeds", 0))
    if "recipes" in table:
        for recipe in _others(path.parent / table["recipes"], networks.values()):
            networks[recipe.stem] = Network(recipe.stem, recipe, everyone)
    there = {*networks, *(known or {})}
    for network in networks.values():
        for part in network.average:
            if part not in there:
                raise OptionsError(f"{path}: {network.name} averages {part}, which is not there")
    claims = tuple(_claim(path, row, seeds) for row in _rows(path, table, "claims"))
    references = tuple(map(str, table.get("references", ())))
    remarks = str(table.get("remarks", "")).strip()
    return Plan(networks, claims, references, remarks, everyone)


_NETWORK = {"name", "recipe", "set", "seeds", "average", "classes", "note", "pictures"}
_CLAIM = {
    "name", "seed", "says", "of", "against", "measure", "expects", "margin", "classes", "compares"
}  # fmt: skip


def _rows(path: Path, table: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    known = _NETWORK if kind == "networks" else _CLAIM
    rows: list[dict[str, Any]] = table.get(kind, [])
    for row in rows:
        unknown = row.keys() - known
        if unknown or "name" not in row:
            what = f"unknown key {min(unknown)!r}" if unknown else "one without a name"
            raise OptionsError(f"{path}: [[{kind}]]: {what}")
    return rows


def _networks(path: Path, row: Mapping[str, Any], everyone: int) -> list[Network]:
    name = str(row["name"])
    recipe = path.parent / row.get("recipe", f"../recipes/{name}.toml")
    seeds = int(row.get("seeds", 0))
    return [
        Network(
            name if not seeds else f"{name}-{seed}",
            recipe,
            int(row.get("pictures", everyone)),
            tuple(row.get("set", ())),
            seed,
            tuple(row.get("average", ())),
            tuple(row.get("classes", ())),
            str(row.get("note", "")),
        )
        for seed in range(seeds or 1)
    ]


def _others(folder: Path, networks: Iterable[Network]) -> list[Path]:
    """Recipes that bear the names of families of which none of the networks is."""
    shown = {network.name for network in networks}
    shown |= {_family(network.recipe) for network in networks if not network.average}
    return [
        path
        for path in sorted(folder.glob("*.toml"))
        if path.stem == _family(path) and path.stem not in shown
    ]


def _family(recipe: Path) -> str:
    try:
        return str(tomllib.loads(recipe.read_text("utf-8")).get("family", ""))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{recipe}: {error}") from None


def _claim(path: Path, row: Mapping[str, Any], seeds: Mapping[str, int]) -> Claim:
    try:
        expects = row["expects"]
        if expects not in EXPECTATIONS:
            raise OptionsError(
                f"{path}: {row['name']}: expects is one of {', '.join(EXPECTATIONS)}"
            )
        return Claim(
            str(row["name"]),
            str(row["seed"]),
            str(row["says"]),
            _each(row["of"], seeds),
            _each(row["against"], seeds),
            str(row["measure"]),
            expects,
            float(row.get("margin", 0.0)),
            tuple(row.get("classes", ())),
            str(row.get("compares", "")),
        )
    except KeyError as error:
        raise OptionsError(f"{path}: claim {row['name']} says nothing of {error}") from None


def _each(name: str, seeds: Mapping[str, int]) -> tuple[str, ...]:
    """The networks that a name stands for, one a seed; a name of no network stands for itself."""
    count = seeds.get(name, 0)
    return tuple(f"{name}-{seed}" for seed in range(count)) if count else (name,)
