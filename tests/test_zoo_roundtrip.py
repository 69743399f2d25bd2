"""Every family, tiny, by the shell's commands: trained, exported, a photograph coloured."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from retint.cli import main
from retint.models import families, family
from test_corpus import sharded

# Made of trained parts, not trained themselves: tests/test_zoo_pairs.py
JOINED = {"classify-then-colorize", "mix"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sharded(tmp_path_factory.mktemp("corpus"))


def retint(*arguments: object) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", sorted(set(families()) - JOINED))
def test_a_family_is_trained_exported_and_used(
    name: str, corpus: Path, tmp_path: Path, photographs: dict[str, Path]
):
    module = family(name)
    net = module.Net(module.variants["tiny"])
    side = net.size["fixed"][0] if "fixed" in net.size else max(32, net.size.get("multiple_of", 1))
    term = "bins" if hasattr(net.config, "bins") else "mse"
    (tmp_path / "tiny.toml").write_text(
        f'family = "{name}"\nvariant = "tiny"\nloss = {{ {term} = 1.0 }}\n'
        f"data = {{ sizes = [{side}] }}\nbins.step = 20.0\noptimiser.batch = 4\n"
        "schedule.steps = 2\nvalidation.share = 0.2\n"
    )
    run = tmp_path / "run"
    retint("train", tmp_path / "tiny.toml", "--data", corpus, "-o", run, "--device", "cpu",
           "--threads", 1)  # fmt: skip
    retint("export", run / "last.pt", "-o", tmp_path, "--name", name)
    source = next(iter(photographs.values()))
    retint("colorize", source, "-o", tmp_path / "out", "--model", tmp_path / f"{name}.onnx",
           "--if-colour", "recolour")  # fmt: skip
    (coloured,) = [p for p in (tmp_path / "out").iterdir() if p.suffix == source.suffix]
    with Image.open(source) as before, Image.open(coloured) as after:
        assert before.size == after.size
        assert after.mode.startswith("RGB")
