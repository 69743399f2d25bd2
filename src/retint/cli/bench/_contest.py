"""What `retint bench` does with its options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from retint.bench import film, report, tables
from retint.bench.contestants import Folder, Model
from retint.bench.cost import Subject, measure
from retint.bench.evaluate import Evaluation, evaluate
from retint.bench.judges import open_judges
from retint.bench.legibility import labels_of
from retint.bench.sets import PictureSet, pictures, spread
from retint.bench.sheet import write_sheets
from retint.cli.bench._progress import progress_bars
from retint.colorizer import Colorizer, Options
from retint.errors import OptionsError, RetintError
from retint.predict import OnnxPredictor, load


@dataclass(frozen=True)
class Contest:
    """Models and folders by the names they have in the report."""

    networks: Mapping[str, OnnxPredictor]
    folders: Mapping[str, Path]
    options: Options
    threads: int | None

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        folders: Sequence[tuple[str, Path]],
        options: Options,
        threads: int | None,
    ) -> "Contest":
        """Open the models. Raises what `load` does, OptionsError for two folders of one name."""
        if len(dict(folders)) < len(folders):
            raise OptionsError("two folders have one name: give one another name")
        networks = {
            label: load(name, device=options.device, threads=threads)
            for label, name in _labels(names).items()
        }
        return cls(networks, dict(folders), options, threads)

    @property
    def models(self) -> dict[str, Colorizer]:
        """The models with the options."""
        return {name: Colorizer(model, self.options) for name, model in self.networks.items()}

    def about(self) -> dict[str, Any]:
        """What the models are, for the report."""
        return {
            name: {
                "name": model.name,
                "version": model.version,
                "weights_sha256": model.weights_sha256,
                "parameters": model.card.parameters,
                "device": model.device,
                "longest": self.options.longest or model.card.working_size,
                "saturation": self.options.saturation,
            }
            for name, model in self.networks.items()
        }

    def judge(
        self,
        pictures: PictureSet,
        files: Mapping[str, Path | None],
        counts: Mapping[str, int | None],
        mean_ab: tuple[float, float] | None,
        resume: Path | None,
        jobs: int,
    ) -> Evaluation:
        """Judge all; files and counts, of the extra judges: by their names in `open_judges`."""
        origin = "the option"
        if mean_ab is None:
            mean_ab, origin = self._corpus_mean()
        labels = labels_of(pictures.root) if files.get("classifier") else None
        hints, alternatives = counts.get("hints"), counts.get("alternatives")
        judges = open_judges(**files, hints=hints, alternatives=alternatives, labels=labels)
        with progress_bars() as progress:
            return evaluate(
                self.models, pictures, folders=self.folders, judges=judges, mean_ab=mean_ab,
                mean_ab_of=origin, resume=resume, jobs=jobs, progress=progress,
            )  # fmt: skip

    def look(self, folder: Path, limit: int | None, jobs: int) -> dict[str, Any]:
        """What the contestants make of photographs without true colours."""
        with progress_bars() as progress:
            paths = pictures(folder, limit)
            return film.look(paths, self.models, self.folders, jobs=jobs, progress=progress)

    def measure_cost(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Add `cost` to the models' rows; `libvips`, or nothing where it cannot be measured."""
        rows = {row["name"]: row for row in found["rows"] if row["kind"] == "model"}
        subjects = {
            name: Subject(self.networks[name].path, self.networks[name].device, self.threads)
            for name in rows
        }
        try:
            costs, libvips = measure(subjects)
        except RetintError as error:
            click.echo(f"retint: {error}", err=True)
            return {}
        for name, cost in costs.items():
            rows[name]["cost"] = cost
        return {"libvips": libvips}

    def write_sheets(
        self, target: Path, photographs: PictureSet, count: int, *, truth: bool
    ) -> list[Path]:
        """Write contact sheets of so many of the photographs; their paths."""
        contestants = [Model(name, model) for name, model in self.models.items()]
        files = [*photographs.files, *photographs.others]
        folders = [Folder(*named, files) for named in self.folders.items()]
        shown = spread(photographs.files, count)
        return write_sheets(
            photographs.opened(shown), [*contestants, *folders], target, truth=truth
        )

    def _corpus_mean(self) -> tuple[tuple[float, float] | None, str]:
        """Mean colour of the corpus, from the first card that knows it."""
        for model in self.networks.values():
            match model.card.figures.get("mean_ab"):
                case [a, b]:
                    return (float(a), float(b)), f"{model.name}'s training corpus"
                case _:
                    pass
        return None, ""


def told(found: Mapping[str, Any]) -> str:
    """What was found, as Markdown."""
    parts = [tables.table(found)] if "rows" in found else []
    if "film" in found:
        parts.append(film.table({**found, **found.get("film_of", {})}))
    return "\n\n".join(parts)


def passed(found: Mapping[str, Any]) -> bool:
    """Whether every contestant meets the bar."""
    return all(report.passed(verdict) for verdict in found["verdicts"].values())


def _labels(names: Sequence[str]) -> dict[str, str]:
    """What to call each model in a report: a file by its stem, where no two have the same."""
    short = [Path(name).stem if name.endswith(".onnx") else name for name in dict.fromkeys(names)]
    return {
        label if short.count(label) == 1 else name: name
        for label, name in zip(short, dict.fromkeys(names), strict=True)
    }
