"""The training loop: one page, read from top to bottom."""

import csv
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from retint.data.corpus import Corpus
from retint.errors import RetintError
from retint.layers import bins
from retint.models import family
from retint.train import checkpoint, film
from retint.train.batches import Batches, centre_crops
from retint.train.recipe import Film, Recipe, from_dict, to_dict

HEADER = [
    "step",
    "pictures",
    "minutes",
    "rate",
    "loss",
    "per_second",
    "val_loss",
    "val_ab",
    "val_chroma",
]
SHEET = 12  # validation pictures on the sheet made at every checkpoint


def _small_ab(scene: Tensor) -> Tensor:
    """The true ab of a scene in linear light, at the quarter of its size at which networks
    answer."""
    return film.lab(nn.functional.avg_pool2d(scene, 4))[:, 1:]


class Training:
    """A training in a folder: `last.pt` (checkpoint), `log.csv`, `sheet.jpg`.

    `recipe` starts a new one; `resume` (a checkpoint's path) goes on with its own recipe, and the
    schedule of `recipe` where one is given too. Raises InputError, OptionsError, ModelError;
    RetintError when the loss is no longer finite.
    """

    def __init__(
        self,
        recipe: Recipe | None,
        data: Path,
        folder: Path,
        *,
        backbones: Path | None = None,
        resume: Path | None = None,
        device: str = "cpu",
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder, self.tell, self.device = folder, tell, torch.device(device)
        folder.mkdir(parents=True, exist_ok=True)
        state = checkpoint.load(resume) if resume else None
        if state is not None:
            kept = from_dict(state["recipe"])
            recipe = replace(kept, schedule=recipe.schedule) if recipe else kept
        if recipe is None:
            raise RetintError("a training needs a recipe or a checkpoint to resume")
        self.recipe = recipe
        corpus = Corpus(data)
        train, validation = corpus.split(recipe.data.validation)
        self.batches = Batches(corpus, train, recipe.data, recipe.optimiser.batch, recipe.seed)
        large = (
            [e for e in validation if e.shorter >= recipe.data.large_side] or validation or train
        )
        self.validation = torch.from_numpy(centre_crops(corpus, large[:256], recipe.data.sizes[0]))
        torch.manual_seed(recipe.seed)
        self.step, self.seconds = 0, 0.0
        architecture = family(recipe.family)
        if state is not None:
            config = architecture.Config(**state["config"])
            self.net = architecture.Net(config)
            self.net.load_state_dict(state["net"])
        else:
            centres, prior = self._colours()
            config = replace(architecture.Config(**recipe.model), bins=len(centres))
            self.net = architecture.Net(config)
            self.net.set_bins(centres, prior)
            if recipe.encoder:
                self.net.start_from(self._backbone(recipe.encoder, backbones))
        self.net.to(self.device, memory_format=torch.channels_last)
        self.ema = architecture.Net(config).to(self.device)
        self.ema.load_state_dict(state["ema"] if state else self.net.state_dict())
        rates = recipe.optimiser
        encoder = list(self.net.encoder.parameters())
        ours = {id(p) for p in encoder}
        rest = [p for p in self.net.parameters() if id(p) not in ours]
        self.optimiser = torch.optim.AdamW(
            [{"params": encoder, "peak": rates.encoder_rate}, {"params": rest, "peak": rates.rate}],
            lr=rates.rate,
            weight_decay=rates.weight_decay,
        )
        if state is not None:
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds = state["step"], state["seconds"]
        balance = recipe.bins
        self.weights = bins.rebalancing(self.net.prior, balance.mixing, balance.strength)
        tell(
            f"{recipe.name}: {len(train)} pictures, {len(self.validation)} for validation, "
            f"{config.bins} colours, {sum(p.numel() for p in self.net.parameters()):,} parameters"
        )

    @staticmethod
    def _backbone(name: str, folder: Path | None) -> Path:
        if folder is None or not (folder / name).is_file():
            raise RetintError(
                f"the recipe starts from {name}: give its folder with --backbones, "
                "or train from scratch with --set encoder=''"
            )
        return folder / name

    def _colours(self) -> tuple[Tensor, Tensor]:
        """The bins that occur, and their shares, over the first training pictures drawn."""
        centres = bins.grid(self.recipe.bins.step)
        counted = torch.zeros(len(centres))
        for k in range(32):
            pixels = torch.from_numpy(self.batches(k)).float() / 255
            ab = _small_ab(film.to_linear(pixels))
            counted += bins.histogram(ab.movedim(1, -1).reshape(-1, 2), centres)
        share = counted / counted.sum()
        kept = share > self.recipe.bins.rarest
        return centres[kept], share[kept] / share[kept].sum()

    def progress(self) -> float:
        """Share of the schedule that is done, 0..1."""
        schedule = self.recipe.schedule
        if schedule.minutes is not None:
            return min(1.0, self.seconds / (60 * schedule.minutes))
        return min(1.0, self.step / schedule.steps)

    def run(self, *, minutes: float | None = None, steps: int | None = None) -> bool:
        """Train until the schedule ends, or for `minutes` or `steps` of this call; True when the
        schedule has ended."""
        begun, first, saved = time.monotonic(), self.step, time.monotonic()
        before = self.seconds
        losses: list[float] = []
        with ThreadPoolExecutor(1) as ahead:  # the next batch is read while this one is learned
            coming = ahead.submit(self.batches, self.step)
            while self.progress() < 1:
                try:
                    pixels, coming = coming.result(), ahead.submit(self.batches, self.step + 1)
                    losses.append(self._learn(torch.from_numpy(pixels)))
                except KeyboardInterrupt:
                    self.tell(f"step {self.step}: interrupted, writing a checkpoint")
                    self._keep(losses or [math.nan])
                    raise
                now = time.monotonic()
                self.seconds = before + now - begun
                if not math.isfinite(losses[-1]):
                    raise RetintError(
                        f"step {self.step}: the loss is not finite; the last good checkpoint "
                        "is kept. Lower optimiser.rate and resume"
                    )
                over = (minutes is not None and now - begun >= 60 * minutes) or (
                    steps is not None and self.step - first >= steps
                )
                if over or now - saved >= 60 * self.recipe.schedule.checkpoint_minutes:
                    self._keep(losses)
                    losses, saved = [], time.monotonic()
                elif self.step % 50 == 0:
                    speed = (self.step - first) * self.recipe.optimiser.batch / (now - begun)
                    self.tell(
                        f"step {self.step}  {100 * self.progress():.1f} %  "
                        f"loss {np.mean(losses[-50:]):.4f}  about {speed:.0f} pictures/s"
                    )
                if over:
                    return self.progress() >= 1
        if losses:
            self._keep(losses)
        return True

    def _learn(self, pixels: Tensor) -> float:
        self.net.train()
        random = torch.Generator(self.device).manual_seed(self.recipe.seed * 1_000_003 + self.step)
        with torch.no_grad():
            L, scene = film.develop(pixels.to(self.device), self.recipe.film, random)
            ab = _small_ab(scene)
        rates = self.recipe.optimiser
        warm = min(1.0, (self.step + 1) / rates.warmup)
        falling = (1 + math.cos(math.pi * self.progress())) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * warm * falling
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.net(L.to(memory_format=torch.channels_last))
        loss = self._loss(logits, ab)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), rates.clip)
        self.optimiser.step()
        self.step += 1
        keep = min(rates.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            new = self.net.state_dict()
            for name, old in self.ema.state_dict().items():
                if old.is_floating_point():
                    old.lerp_(new[name], 1 - keep)
        return loss.item()

    def _loss(self, logits: Tensor, ab: Tensor) -> Tensor:
        how = self.recipe.bins
        return bins.soft_cross_entropy(
            logits, ab, self.net.centres, self.weights, how.neighbours, how.sigma
        )

    def _keep(self, losses: list[float]) -> None:
        """Checkpoint, a line in the log, a sheet."""
        measured, sheet = self._validate()
        checkpoint.save(
            self.folder / "last.pt",
            {
                "recipe": to_dict(self.recipe),
                "config": dict(vars(self.net.config)),
                "net": self.net.state_dict(),
                "ema": self.ema.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )
        pictures = self.step * self.recipe.optimiser.batch
        row: dict[str, Any] = {
            "step": self.step,
            "pictures": pictures,
            "minutes": round(self.seconds / 60, 2),
            "rate": f"{self.optimiser.param_groups[1]['lr']:.2e}",
            "loss": f"{np.mean(losses):.4f}",
            "per_second": f"{pictures / max(self.seconds, 1e-9):.1f}",
            **{name: f"{value:.4f}" for name, value in measured.items()},
        }
        log = self.folder / "log.csv"
        new = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.DictWriter(file, HEADER)
            if new:
                writer.writeheader()
            writer.writerow(row)
        Image.fromarray(sheet).save(self.folder / "sheet.jpg", quality=90)
        self.tell("  ".join(f"{name} {value}" for name, value in row.items()))

    @torch.no_grad()
    def _validate(self) -> tuple[dict[str, float], np.ndarray]:
        """Loss, mean distance in the ab plane and chroma relative to the true one, of the averaged
        weights, on plain
        luminance; and a sheet of rows true, grey, coloured."""
        self.ema.eval()
        plain = Film(plain=1.0)
        random = torch.Generator(self.device).manual_seed(0)
        loss = distance = chroma = truth = 0.0
        sheet: list[Tensor] = []
        for pixels in self.validation.split(64):
            L, scene = film.develop(pixels.to(self.device), plain, random)
            small = _small_ab(scene)
            with torch.autocast(self.device.type, torch.bfloat16):
                logits = self.ema(L)
            loss += self._loss(logits, small).item() * len(L)
            said, _ = self.ema.colour(logits.float())
            distance += (said - small).norm(dim=1).mean().item() * len(L)
            chroma += said.norm(dim=1).mean().item() * len(L)
            truth += small.norm(dim=1).mean().item() * len(L)
            if not sheet:
                count = min(SHEET, len(L))
                ab_full = nn.functional.interpolate(said[:count], scale_factor=4.0, mode="bilinear")
                grey = torch.zeros_like(ab_full)
                true = film.lab(scene[:count])[:, 1:]
                for colours in (true, grey, ab_full):
                    row = film.srgb(L[:count], colours).permute(2, 0, 3, 1)
                    sheet.append(row.reshape(row.shape[0], -1, 3))
        count = len(self.validation)
        picture = (torch.cat(sheet).cpu().numpy() * 255).round().astype(np.uint8)
        measured = {
            "val_loss": loss / count,
            "val_ab": distance / count,
            "val_chroma": chroma / truth,
        }
        return measured, picture
