"""Measuring the averaged weights on pictures kept apart, and a sheet of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retint.data.corpus import Corpus, Entry
from retint.layers.answer import Answer
from retint.layers.lab import srgb
from retint.train.batches import Pictures, centre_crops
from retint.train.recipe import Film, Recipe
from retint.train.tasks import Truth

SHEET = 12  # pictures on the sheet
PART = 64  # pictures measured at a time


class Validator:
    """Plain luminance of the middle of the pictures kept apart, coloured and compared.

    general: a second corpus with its training and validation pictures, of which `general_ab` is
    measured as well.
    """

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        entries: Sequence[Entry],
        device: torch.device,
        general: tuple[Corpus, Sequence[Entry], Sequence[Entry]] | None = None,
    ) -> None:
        self.recipe, self.device = recipe, device
        self.crops, self.entries = self._crops(corpus, entries)
        self.general = None
        if general:
            self.general = self._crops(general[0], general[2] or general[1])[0]
        self.random = torch.Generator(device)

    def __len__(self) -> int:
        return len(self.crops)

    def _crops(self, corpus: Corpus, entries: Sequence[Entry]) -> tuple[Tensor, list[Entry]]:
        side, most = self.recipe.data.large_side, self.recipe.validation.pictures
        chosen = ([e for e in entries if e.shorter >= side] or list(entries))[:most]
        size = self.recipe.data.sizes[0]
        pictures = Pictures(corpus, chosen, largest=size, gigabytes=0)
        return centre_crops(pictures, most, size), chosen

    @torch.no_grad()
    def __call__(
        self, net: Any, terms: Any, weights: Mapping[Any, float], classes: Sequence[str] = ()
    ) -> tuple[dict[str, float], np.ndarray]:
        """Measures, and a sheet (3 * size, 12 * size, 3), uint8, of rows true, grey, coloured.

        val_loss: of the terms that judge colours themselves, weighted. val_accuracy: share of
        places where the greater of a and b is the same. val_ab: mean distance in the ab plane,
        Lab units. val_chroma: mean chroma over the true one's. val_a, val_b: mean error, the cast.
        """
        number = {name: k for k, name in enumerate(classes)}
        subjects = torch.tensor([number.get(e.labels, -1) for e in self.entries])
        sums: dict[str, float] = {}
        sheet = None
        for pixels, shown in zip(self.crops.split(PART), subjects.split(PART), strict=True):
            truth = self._truth(pixels, shown)
            answer = self._answer(net, truth)
            measured = {
                f"loss_{name}": term(net, answer, truth).item()
                for name, term in terms.items()
                if name not in ("adversarial", "wgan")
            } | colours(net, answer, truth)
            for name, value in measured.items():
                sums[name] = sums.get(name, 0.0) + value * len(pixels)
            if sheet is None:
                sheet = _sheet(net, answer, truth)
        assert sheet is not None
        means = {name: total / len(self.crops) for name, total in sums.items()}
        loss = sum(weights[n] * means[f"loss_{n}"] for n in terms if f"loss_{n}" in means)
        found = {
            "val_loss": loss,
            "val_accuracy": means["accuracy"],
            "val_ab": means["ab"],
            "val_chroma": means["chroma"] / max(means["true_chroma"], 1e-6),
            "val_a": means["a"],
            "val_b": means["b"],
        }
        if self.general is not None:
            total = 0.0
            for pixels in self.general.split(PART):
                truth = self._truth(pixels, torch.full((len(pixels),), -1))
                total += colours(net, self._answer(net, truth), truth)["ab"] * len(pixels)
            found["general_ab"] = total / len(self.general)
        return found, sheet

    def _truth(self, pixels: Tensor, subjects: Tensor) -> Truth:
        random = self.random.manual_seed(0)
        shown = subjects.to(self.device)
        return Truth.developed(pixels.to(self.device), shown, Film(plain=1.0), random)

    def _answer(self, net: Any, truth: Truth) -> Answer:
        bf16 = self.recipe.optimiser.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            return net(truth.L)


def colours(net: Any, answer: Answer, truth: Truth) -> dict[str, float]:
    """How the colours chosen compare with the true ones; see `Validator`."""
    said, _ = net.colour(answer)
    said, true = said.float(), truth.ab(answer.place)
    error = said - true
    return {
        "accuracy": (said.argmax(1) == true.argmax(1)).float().mean().item(),
        "ab": error.norm(dim=1).mean().item(),
        "chroma": said.norm(dim=1).mean().item(),
        "true_chroma": true.norm(dim=1).mean().item(),
        "a": error[:, 0].mean().item(),
        "b": error[:, 1].mean().item(),
    }


def _sheet(net: Any, answer: Answer, truth: Truth) -> np.ndarray:
    said, _ = net.colour(answer)
    L, true = truth.L[:SHEET], truth.ab()[:SHEET]
    full = F.interpolate(said[:SHEET].float(), size=L.shape[2:], mode="bilinear")
    rows: list[Tensor] = []
    for ab in (true, torch.zeros_like(true), full):
        row = srgb(L, ab).permute(2, 0, 3, 1)
        rows.append(row.reshape(row.shape[0], -1, 3))
    return (torch.cat(rows).cpu().numpy() * 255).round().astype(np.uint8)
