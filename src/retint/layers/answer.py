"""What a network says of a picture, whatever its family."""

from typing import NamedTuple

from torch import Tensor


class Answer(NamedTuple):
    """A network's raw answer; what its family does not say is None.

    ab: (n, 2, h/s, w/s), Lab units. logits: over the ab bins, (n, q, h/s, w/s). subject: over the
    classes of what is shown, (n, c). rgb: (n, 3, h/s, w/s), sRGB in 0..1, whose chroma is ab.
    features: the encoder's deepest, (n, c, h/s, w/s), for terms that learn from them.
    """

    ab: Tensor | None = None
    logits: Tensor | None = None
    subject: Tensor | None = None
    rgb: Tensor | None = None
    features: Tensor | None = None

    @property
    def place(self) -> Tensor:
        """The map of answers, whose size is that at which colour is learned."""
        found = self.ab if self.ab is not None else self.logits
        assert found is not None
        return found
