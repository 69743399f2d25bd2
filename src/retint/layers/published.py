"""Weights that a family's authors published: under which terms, and what a card says of them."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Published:
    """What is known of published weights; a family's `published` has one for each variant that
    there are some for.

    weights_license: an SPDX identifier where there is one, "none stated" where the authors say
    nothing. origin: who published them, where, as which file. data: what they learned from, and its
    terms. paper: as in a card. working_size: longest side, in pixels, that they are used at.
    """

    weights_license: str
    origin: str
    data: str = ""
    description: str = ""
    not_for: str = ""
    paper: tuple[str, ...] = ()
    working_size: int = 256

    def card(self) -> dict[str, Any]:
        """The same as texts of a card (`hub.Card`)."""
        said = asdict(self)
        said["encoder_origin"] = said.pop("origin")
        return {**said, "paper": list(self.paper)}
