"""`retint models families`: which networks can be trained here."""

import json
from typing import Any

import click

from retint.errors import OptionsError


@click.command(name="families")
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def command(as_json: bool) -> None:
    """List the families of networks with their variants and sizes.

    `published` is the licence of weights that the authors published (`retint import` reads them);
    `here` names the models of the family that are known here.
    """
    try:
        rows = _rows()
    except ModuleNotFoundError as error:
        raise OptionsError(f"networks need {error.name}: pip install 'retint[train]'") from None
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("family", "variant", "parameters", "takes", "published", "here"):
        table.add_column(heading, justify="right" if heading == "parameters" else "left")
    for row in rows:
        words = (row["family"], row["variant"], f"{row['parameters']:,}", _takes(row["size"]))
        table.add_row(*words, row["published"], ", ".join(row["here"]))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 400
    console.print(table)


def _rows() -> list[dict[str, Any]]:
    from retint import hub
    from retint.models import families, family

    cards = [hub.find(name).card for name in hub.cards()]
    rows: list[dict[str, Any]] = []
    for name in families():
        module = family(name)
        published = getattr(module, "published", {})
        for variant, config in module.variants.items():
            if variant.startswith("tiny"):  # for tests
                continue
            net = _unfilled(module, config)
            known = published.get(variant)
            rows.append(
                {
                    "family": name,
                    "variant": variant,
                    "parameters": sum(p.numel() for p in net.parameters()),
                    "size": dict(net.size),
                    "published": known.weights_license if known else "",
                    "here": [f"{c.name} {c.version}" for c in cards if c.family == name]
                    if variant == "default"
                    else [],
                }
            )
    return rows


def _unfilled(module: Any, config: Any) -> Any:
    """A network without memory for its weights, where it can be built so."""
    import torch

    try:
        with torch.device("meta"):
            return module.Net(config)
    except (NotImplementedError, RuntimeError, TypeError):  # it computes something when it is made
        return module.Net(config)


def _takes(size: dict[str, Any]) -> str:
    if "fixed" in size:
        return "{} x {}".format(*size["fixed"])
    multiple = size.get("multiple_of", 1)
    return "any size" if multiple == 1 else f"multiples of {multiple}"
