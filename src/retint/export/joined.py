"""Trained networks as one network: mixed, or chosen from by a classifier."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from retint.errors import ModelError, OptionsError
from retint.export.network import Network
from retint.models import build

CLASSIFIERS = ("retint", "classify-then-colorize")
"""Families whose classifier `routed` takes over."""


def mixed(networks: Sequence[Network], how: Literal["mean", "cascade"] = "mean") -> Network:
    """Networks of the family `mix`: their colours averaged, or in a row. One is left as it is.

    In a row, one that takes no hints pays no heed to the colours of the one before until the whole
    is trained (`retint train --from`).
    """
    if len(networks) == 1:
        return networks[0]
    config = {"parts": tuple(map(_part, networks)), "how": how}
    told = build("mix", config).state_dict()
    state = {k: torch.zeros_like(v) for k, v in told.items() if k.startswith("told.")}
    for k, network in enumerate(networks):
        state |= _within(f"parts.{k}", network)
    return Network("mix", config, state, _cards(networks))


def soup(networks: Sequence[Network]) -> Network:
    """One network with the mean of the weights of several, each trained on from another: as a rule
    as good as the mean of their answers, at the cost of one (Wortsman et al. 2022, Model soups,
    arXiv:2203.05482). Its card is the last one's.

    ModelError for networks of other families or sizes.
    """
    last = networks[-1]
    shapes = [{name: x.shape for name, x in network.state.items()} for network in networks]
    if any(n.family != last.family for n in networks) or any(s != shapes[-1] for s in shapes):
        raise ModelError("weights can only be averaged of networks of one family and of one size")
    state = {
        name: torch.stack([n.state[name].double() for n in networks]).mean(0).to(x.dtype)
        for name, x in last.state.items()
    }
    return replace(last, state=state)


def routed(
    general: Network, router: Network, experts: Mapping[str, Network], below: float = 0.5
) -> Network:
    """Colorizers of the family `classify-then-colorize`, chosen by the subject that `router` sees.

    experts: by the subject's name. below: this confidence the general one colours. OptionsError for
    a subject that the router does not know, ModelError where it knows none.
    """
    subjects: Sequence[str] = router.card.get("subjects", ())
    if router.family not in CLASSIFIERS or not subjects:
        raise ModelError(
            f"a network of family {router.family} that names no subjects cannot choose: train one "
            "of family retint with the term `subject`"
        )
    for name in experts:
        if name not in subjects:
            near = difflib.get_close_matches(name, subjects, 1) or list(subjects)
            raise OptionsError(f"no subject {name!r}: the classifier knows {', '.join(near)}")
    parts = [
        {**_part(network), "subject": subjects.index(name)} for name, network in experts.items()
    ]
    classifier = ("encoder.", "subject.")
    state = {k: v for k, v in router.state.items() if k.startswith(classifier)}
    state |= _within("general", general)
    for k, network in enumerate(experts.values()):
        state |= _within(f"experts.{k}", network)
    config: dict[str, Any] = {
        "subjects": len(subjects),
        "general": _part(general),
        "experts": tuple(parts),
        "below": below,
    }
    card = {**_cards([general, router, *experts.values()]), "subjects": list(subjects)}
    return Network("classify-then-colorize", config, state, card)


def _part(network: Network) -> dict[str, Any]:
    return {"family": network.family, "config": network.config}


def _within(place: str, network: Network) -> dict[str, torch.Tensor]:
    return {f"{place}.{name}": value for name, value in network.state.items()}


def _cards(networks: Sequence[Network]) -> dict[str, Any]:
    """What the cards of the parts say, each thing once."""
    card: dict[str, Any] = {}
    for key in ("license", "weights_license", "data", "encoder_origin", "trained", "not_for"):
        said = dict.fromkeys(n.card[key] for n in networks if n.card.get(key))
        if said:
            card[key] = "\n".join(said)
    card["paper"] = list(dict.fromkeys(p for n in networks for p in n.card.get("paper", ())))
    return card
