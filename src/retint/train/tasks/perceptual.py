"""Distance between features of true and guessed colours (Johnson et al. 2016, arXiv:1603.08155)."""

from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from retint.errors import OptionsError
from retint.layers.answer import Answer
from retint.layers.lab import srgb
from retint.layers.vgg import VGG16Stages, distance
from retint.models import family
from retint.train import checkpoint
from retint.train.tasks import Circumstances, Term, Truth


class Perceptual(Term):
    """Features of VGG-16's first stages, or of the encoder of a network trained here."""

    def __init__(self, given: Circumstances) -> None:
        super().__init__()
        name = given.recipe.perceptual.weights
        path = given.backbones / name if given.backbones else Path(name)
        if not path.is_file():
            raise OptionsError(
                f"perceptual.weights: {name} is not there; give its folder with --backbones"
            )
        if path.suffix == ".pt":
            state = checkpoint.load(path)
            architecture = family(state["recipe"]["family"])
            net = architecture.Net(architecture.Config(**state["config"]))
            net.load_state_dict(state["ema"])
            if not hasattr(net, "encoder"):
                raise OptionsError(f"{path}: a network without an encoder")
            encoder, self.grey = net.encoder, True
        else:
            encoder, self.grey = VGG16Stages(), False
            encoder.load(path)
        # in a list: its weights are no part of the training's state
        self._encoder = [encoder.to(given.device).eval().requires_grad_(False)]

    def features(self, L: Tensor, ab: Tensor) -> list[Tensor]:
        """Of the picture of these colours."""
        rgb = srgb(L, ab)
        encoder = self._encoder[0]
        if not self.grey:
            return encoder(rgb)
        # an encoder of luminance looks at each channel as at a grey picture
        return [f for channel in rgb.split(1, 1) for f in encoder(channel * 100)]

    def forward(self, net: Any, answer: Answer, truth: Truth) -> Tensor:
        guessed = answer.ab if answer.ab is not None else net.colour(answer)[0]
        L = F.interpolate(truth.L, size=guessed.shape[2:], mode="area")
        true = self.features(L, truth.ab(guessed))
        return distance(self.features(L, guessed.float()), true)
