"""The training loop, read from top to bottom."""

import random as python_random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from retint.data.corpus import Corpus, Entry
from retint.errors import OptionsError, OutputError, RetintError
from retint.train import checkpoint, hints
from retint.train import recipe as recipes
from retint.train.batches import Batch, Batches, classes, some
from retint.train.course import Clock, Position, falling, judged, progress, steps_of
from retint.train.lately import Lately
from retint.train.logs import Log, Progress
from retint.train.network import build, colours_drawn, go_on_from, optimiser, rebuild
from retint.train.processes import Alone
from retint.train.recipe import Recipe, Stage
from retint.train.tasks import Circumstances, Truth, terms
from retint.train.validation import Validator, colours

LOOK = 20  # steps between looks at the losses, for which the device has to be waited for


class Training:
    """A training in a folder: `last.pt` and `best.pt`, `recipe.toml`, `log.csv`, `sheets/`.

    `recipe` starts a new one; `resume`, a checkpoint's path, goes on with its own recipe, and with
    `changes` (as "schedule.minutes=30") on top. `start`, the family, Config and weights of a model,
    is what a new training starts from (fine-tuning); `general` a corpus on which it should not get
    worse. Raises InputError, OptionsError, ModelError; RetintError when the loss is no longer
    finite or memory runs out, the last good checkpoint being kept.
    """

    def __init__(
        self,
        recipe: Recipe | None,
        data: Path,
        folder: Path,
        *,
        backbones: Path | None = None,
        resume: Path | None = None,
        changes: tuple[str, ...] = (),
        start: tuple[str, dict[str, Any], dict[str, Tensor]] | None = None,
        general: Path | None = None,
        device: str = "cpu",
        processes: Alone | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder, self.device, self.backbones = folder, torch.device(device), backbones
        self.processes = processes or Alone()
        self.tell = tell if self.processes.first else lambda line: None
        state = checkpoint.load(resume) if resume else None
        if state is not None:
            recipe = recipes.changed(recipes.from_dict(state["recipe"]), changes)
        if recipe is None:
            raise OptionsError("a training needs a recipe, or a checkpoint to resume")
        self.fine_tuning = start is not None
        if start is not None:
            recipe = replace(recipe, family=start[0], encoder=None)
        self.recipe, self.course = recipe, recipe.course
        self.position = Position(**state["position"]) if state else Position()

        self.corpus = Corpus(data)
        known, apart = self.corpus.split(recipe.validation.share)
        self.entries = some(known, recipe.data.pictures, recipe.seed)
        self.classes = state["classes"] if state else classes(self.entries, recipe.subject.fewest)
        self.general = None
        if general is not None:
            other = Corpus(general)
            self.general = (other, *other.split(recipe.validation.share))
        self.validator = Validator(
            recipe, self.corpus, apart or self.entries, self.device, self.general
        )

        self._seed(0)
        self.net: Any = self._network(state, start)
        self.ema = type(self.net)(self.net.config).to(self.device)
        self.ema.load_state_dict(state["ema"] if state else self.net.state_dict())
        self.ema.eval().requires_grad_(False)
        self.net.to(self.device, memory_format=torch.channels_last)
        self.ended = self.position.stage >= len(self.course)
        for stage in self.course[self.position.stage + 1 :]:  # what is wrong there is said now
            self._chosen(stage)
            self._terms(stage)
        self._enter(self.course[min(self.position.stage, len(self.course) - 1)], state)
        if self.processes.first:
            if state is None and (folder / "last.pt").exists():
                raise OptionsError(
                    f"{folder}: holds a training; --resume it, or name another with -o"
                )
            folder.mkdir(parents=True, exist_ok=True)
            recipes.write(recipe, folder / "recipe.toml")
            self.log = Log(folder, step=self.step, tell=self.tell)
            self.log.about({"parameters": sum(p.numel() for p in self.net.parameters())})
        self.tell(
            f"{recipe.name}: {len(self.entries)} pictures, {len(self.validator)} for validation, "
            f"{sum(p.numel() for p in self.net.parameters()):,} parameters"
        )

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return self.position.step

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return self.position.seconds

    def progress(self) -> float:
        """Share of the stage's schedule that is done, 0..1; 1 after the last stage."""
        here, schedule = self.position, self.stage.schedule
        if self.ended or schedule is None:
            return 1.0
        return progress(schedule, len(self.batches), here.stage_step, here.stage_seconds)

    # ---- before the first step

    def _network(
        self,
        state: dict[str, Any] | None,
        start: tuple[str, dict[str, Any], dict[str, Tensor]] | None,
    ) -> Any:
        if state is None and start is None:
            drawn = self._batches(self.course[0], Alone(), "cpu")
            return build(
                self.recipe,
                classes=self.classes,
                colours=lambda: colours_drawn(drawn),
                backbones=self.backbones,
            )
        if state is not None:
            return rebuild(self.recipe.family, state["config"], state["net"])
        assert start is not None
        return go_on_from(self.recipe, start[1], start[2], self.classes)

    def _batches(self, stage: Stage, processes: Alone, device: torch.device | str) -> Batches:
        recipe = self.recipe
        return Batches(
            self.corpus,
            self._chosen(stage),
            recipe.data,
            recipe.augment,
            batch=recipe.optimiser.batch,
            seed=recipe.seed,
            classes=self.classes,
            general=self.general[:2] if self.general else None,
            rank=processes.rank,
            world=processes.count,
            device=device,
        )

    def _chosen(self, stage: Stage) -> list[Entry]:
        entries = self.entries
        if stage.datasets:
            entries = [e for e in entries if e.dataset in stage.datasets]
        if not entries:
            raise OptionsError(f"stage {stage.name}: no pictures of {', '.join(stage.datasets)}")
        return entries

    def _terms(self, stage: Stage) -> Any:
        given = Circumstances(
            self.recipe, self.net, self.backbones, self.classes, self.device, self.processes.spread
        )
        return terms(stage.loss, given)

    def _enter(self, stage: Stage, state: dict[str, Any] | None = None) -> None:
        """Make ready for a stage: its pictures, its loss, its optimiser; from a checkpoint's state
        where that was in the middle of it. A critic goes on with what it learned before."""
        recipe, self.stage = self.recipe, stage
        before = self.terms.state_dict() if state is None and hasattr(self, "terms") else {}
        self.batches = self._batches(stage, self.processes, self.device)
        self.net.zero_grad()  # nothing of an earlier stage counts
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(not name.startswith(stage.freeze or ("\0",)))
        if not any(p.requires_grad for p in self.net.parameters()):
            raise OptionsError(f"stage {stage.name}: everything is frozen")
        self._seed(self.step)
        self.terms: Any = self._terms(stage)
        for name, term in self.terms.items():
            known = (state["terms"] if state else before).items()
            known = {k.removeprefix(f"{name}."): v for k, v in known if k.startswith(f"{name}.")}
            if known:
                term.load_state_dict(known)
        self.optimiser = optimiser(self.net, recipe.optimiser, stage.rate)
        if state is not None and (self.position.stage_step or self.ended):
            self.optimiser.load_state_dict(state["optimiser"])
        spread = self.processes.spread(self.net)
        self.answer: Any = torch.compile(spread) if recipe.optimiser.compile else spread

    # ---- the loop

    def run(self, *, minutes: float | None = None, steps: int | None = None) -> bool:
        """Train until the schedule ends, or for `minutes` or `steps` of this call; True when the
        schedule has ended. KeyboardInterrupt, after a checkpoint, on Ctrl-C or SIGTERM."""
        progress = Progress(
            self.tell, self.recipe.name, bar=None if self.processes.first else False
        )
        self.say = progress.line
        try:
            with Clock(minutes, steps, self.step) as clock:
                if self.fine_tuning and self.step == 0:
                    self.lately = Lately(0)
                    self._keep()  # what it can do before
                while not self.ended and not self._stage(clock, progress):
                    self._enter(self.course[self.position.stage])
                if clock.interrupted:
                    self.say(f"step {self.step}: interrupted; a checkpoint is written")
                    raise KeyboardInterrupt
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            raise RetintError(
                f"step {self.step}: out of memory ({str(error).splitlines()[0]}); the last "
                "checkpoint is kept. Lower optimiser.batch or data.sizes and resume"
            ) from None
        finally:
            progress.close()
        return self.ended

    def _stage(self, clock: Clock, progress: Progress) -> bool:
        """Train to the end of the stage (False), or of the call or the whole training (True)."""
        here, shared = self.position, self.processes.shared
        entered, seconds, stage_seconds = time.monotonic(), here.seconds, here.stage_seconds
        self.lately = Lately(here.step)
        with ThreadPoolExecutor(1) as ahead:  # the next batch is read while this one is learned
            coming = ahead.submit(self.batches, here.stage_step)
            while (done := shared(self.progress())[0]) < 1:
                waiting = time.monotonic()
                batch = coming.result()
                self.lately.waited += time.monotonic() - waiting
                coming = ahead.submit(self.batches, here.stage_step + 1)
                self._learn(batch, done)
                spent = time.monotonic() - entered
                here.seconds, here.stage_seconds = seconds + spent, stage_seconds + spent
                if here.step % LOOK == 0:
                    self._look(progress)
                over, due = shared(clock.over(here.step), self._is_due())
                if self.progress() < 1 and (over or due):
                    self._look(progress)
                    self.ended = self._keep()
                    if over or self.ended:
                        return True
                elif over:
                    break
        here.stage, here.stage_step, here.stage_seconds = here.stage + 1, 0, 0.0
        self.ended = here.stage == len(self.course)
        self._look(progress)
        self._keep()
        here.best, here.since_best = None, 0  # of a loss that may be another one now
        return self.ended or bool(shared(clock.over(here.step))[0])

    def _learn(self, batch: Batch, done: float) -> None:
        here, how, processes = self.position, self.recipe.optimiser, self.processes
        assert self.stage.schedule is not None
        rate = min(1.0, (here.stage_step + 1) / max(1, how.warmup))
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate * falling(self.stage.schedule, done)
        random = torch.Generator(self.device).manual_seed(self._seed(here.step))
        truth = Truth.developed(*batch, self.recipe.film, random)
        self.net.train()
        for name, module in self.net.named_modules():
            if self.stage.freeze and name.startswith(self.stage.freeze):
                module.eval()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=how.precision == "bf16"):
            answer = self.answer(*self._shown(truth))
            for term in self.terms.values():
                term.learn(self.net, answer, truth)
            parts = {name: term(self.net, answer, truth) for name, term in self.terms.items()}
        loss = torch.stack([w * parts[n].float() for n, w in self.stage.loss.items()]).sum()
        self.optimiser.zero_grad()
        loss.backward()
        if how.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), how.clip)
        self.optimiser.step()
        here.step += 1
        here.stage_step += 1
        self._average(how.ema)
        self.lately.losses.append(loss.detach())
        self.lately.parts.append({name: part.detach() for name, part in parts.items()})
        if processes.first and (here.step % LOOK == 0 or not self.lately.accuracy):
            with torch.no_grad():
                self.lately.accuracy.append(colours(self.net, answer, truth)["accuracy"])

    def _shown(self, truth: Truth) -> tuple[Tensor, ...]:
        """What the network is given: L*, and hints where it takes some."""
        L = truth.L.to(memory_format=torch.channels_last)
        if not self.net.hints:
            return (L,)
        lots = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.step)
        return L, hints.draw(truth.ab(), self.recipe.hints, lots)

    @torch.no_grad()
    def _average(self, keep: float) -> None:
        keep = min(keep, (1 + self.step) / (10 + self.step))
        new = self.net.state_dict()
        for name, old in self.ema.state_dict().items():
            if old.is_floating_point():
                old.lerp_(new[name], 1 - keep)
            else:
                old.copy_(new[name])

    def _seed(self, step: int) -> int:
        """Make what is random a function of seed, step and process: nothing more has to be kept."""
        processes = self.processes
        seed = (self.recipe.seed * 1_000_003 + step) * processes.count + processes.rank
        torch.manual_seed(seed)
        python_random.seed(seed)
        return seed

    # ---- what is seen and kept

    def _is_due(self) -> bool:
        """Whether it is time to measure and to keep a checkpoint."""
        every, step = self.recipe.validation, self.position.stage_step
        epoch = steps_of(every.epochs, len(self.batches))
        return (
            self.lately.seconds >= 60 * every.minutes
            or bool(every.steps and step % every.steps == 0)
            or bool(epoch and step % epoch == 0)
        )

    def _look(self, progress: Progress) -> None:
        """Show where the training is; RetintError where it has gone astray."""
        recent = self.lately.losses[-LOOK:]
        if not recent:
            return
        mean = torch.stack(recent).float().mean().item()
        if not np.isfinite(mean):
            raise RetintError(
                f"step {self.step}: the loss is not finite; the last good checkpoint is kept. "
                "Lower optimiser.rate and resume"
            )
        taken = (self.step - self.lately.step) * self.recipe.optimiser.batch
        stage = self.stage.name if len(self.course) > 1 else None
        speed = taken / self.lately.seconds
        progress.update(self.progress(), mean, speed, stage, self.step)

    def _keep(self) -> bool:
        """Measure, keep a checkpoint, a line in the log and a sheet; True to stop early."""
        stop = False
        if self.processes.first:
            lately = self.lately
            row = lately.row(
                self.position,
                stage=self.stage.name,
                batch=self.recipe.optimiser.batch,
                epoch=len(self.batches),
                rate=self.optimiser.param_groups[-1]["lr"],
            )
            measured, sheet = self.validator(self.ema, self.terms, self.stage.loss, self.classes)
            better, why = judged(measured, self.position, self.recipe.validation)
            stop = bool(why)
            if stop:
                self.position.stage = len(self.course)
            self._save(better)
            self.log.row(row | {name: round(value, 5) for name, value in measured.items()})
            self._sheet(sheet)
            if lately.losses:
                shown = row | {name: f"{value:.4f}" for name, value in measured.items()}
                self.say("  ".join(f"{k} {v}" for k, v in shown.items() if v is not None))
            if why:
                self.say(f"step {self.step}: stopped early: {why}")
        self.lately = Lately(self.step)
        return self.processes.shared(stop)[0] > 0

    def _sheet(self, pixels: np.ndarray) -> None:
        path = self.folder / "sheets" / f"{self.step:08}.jpg"
        try:
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path, quality=90)
        except OSError as error:
            raise OutputError(f"{path}: not written ({error.strerror})") from error
        self.log.sheet(self.step, path)

    def _save(self, better: bool) -> None:
        state = {
            "recipe": recipes.to_dict(self.recipe),
            "config": dict(vars(self.net.config)),
            "classes": self.classes,
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "terms": self.terms.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "position": asdict(self.position),
            "step": self.step,
            "seconds": self.seconds,
        }
        checkpoint.save(self.folder / "last.pt", state)
        if better:
            checkpoint.copy(self.folder / "last.pt", self.folder / "best.pt")


def _is_out_of_memory(error: BaseException) -> bool:
    words = str(error)
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "can't allocate memory" in words
        or "out of memory" in words.lower()
    )
