"""A classifier of colour pictures: trained, written, read, and asked about colourings."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from click.testing import CliRunner, Result

from conftest import scene
from retint.bench.contestants import Colouring, Folder, Grey, MeanColour
from retint.bench.judges import open_judges
from retint.bench.legibility import Legibility, labels_of
from retint.bench.sets import PictureSet
from retint.classify import Classifier
from retint.cli import main
from retint.color import srgb_to_lab
from retint.errors import InputError, ModelError

TINTS = {
    "red": (1.0, 0.35, 0.3),
    "n00000002:green": (0.35, 0.85, 0.35),
    "blue": (0.4, 0.5, 1.0),
}
EACH = 24


def tinted(label: str, seed: int) -> np.ndarray:
    """A drawn picture in one tint, its lightness telling nothing: (64, 72, 3), 0..1."""
    grey = scene(64, 72, seed)[:: -1 if seed % 2 else 1].mean(axis=-1, keepdims=True)
    return np.clip(grey * (0.6 + 0.8 * (seed * 7 % 11) / 11) * TINTS[label], 0, 1)


def write(path: Path, rgb: np.ndarray) -> None:
    codes = np.rint(rgb * 255).astype(np.uint8)
    pyvips.Image.new_from_array(codes).copy(interpretation="srgb").write_to_file(str(path))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of three tints in a shard, every fourth held out; one has a label of its own."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = ["shard,file,dataset,labels,width,height,split"]
    with zipfile.ZipFile(folder / "shard.zip", "w") as shard:
        for place, label in enumerate(TINTS):
            for k in range(EACH):
                name = f"{place}-{k:02}.png"
                write(folder / name, tinted(label, 31 * place + k))
                shard.write(folder / name, name)
                (folder / name).unlink()
                side = "validation" if k % 4 == 0 else "train"
                shown = "rare" if (place, k) == (0, 1) else label
                rows.append(f"shard.zip,{name},drawn,{shown},72,64,{side}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of the published one's shape, with weights drawn at random."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from retint.layers.mobilenet_v2 import MobileNetV2

    folder = tmp_path_factory.mktemp("backbones")
    torch.manual_seed(0)
    state = {key: value.half() for key, value in MobileNetV2().state_dict().items()}
    save_file(state, folder / "mobilenet_v2_imagenet.safetensors")
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["classifier", *map(str, words)])


@pytest.fixture(scope="module")
def trained(corpus: Path, backbones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifier") / "classifier.onnx"
    result = run("--data", corpus, "--backbones", backbones, "-o", path, "--fewest", 5,
                 "--epochs", 300)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "3 labels" in result.output
    return path


def test_a_classifier_learns_what_only_colour_tells(trained: Path):
    about = Classifier(trained).about
    assert about["labels"] == sorted(TINTS)  # the label that one picture has is none
    assert about["held_out"]["pictures"] == len(TINTS) * EACH // 4
    assert about["held_out"]["true"]["top1"] > 0.9
    assert about["held_out"]["grey"]["top1"] < 0.6
    assert len(about["encoder"]["sha256"]) == len(about["corpus"]["manifest_sha256"]) == 64


def test_the_file_names_what_it_sees_at_any_size(trained: Path):
    classifier = Classifier(trained, threads=1)
    for label in TINTS:
        shares = classifier(np.asarray(tinted(label, 1000), np.float32))
        assert shares.sum() == pytest.approx(1, abs=1e-5)
        assert classifier.labels[shares.argmax()] == label
    wide = np.tile(tinted("red", 1000), (1, 6, 1))
    assert classifier.labels[classifier(wide).argmax()] == "red"
    assert classifier(tinted("red", 1)[:1, :1]).shape == (3,)
    assert classifier.number("n00000002") == classifier.number("n00000002:green") == 1
    assert classifier.number("mauve") is None


def test_the_temperature_makes_shares_honest():
    """Labels drawn by the softmax of some logits, and a head that says three times these."""
    torch = pytest.importorskip("torch")
    from retint.train.classifier import calibrate

    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(4000, 5, generator=random)
    told = torch.multinomial(torch.softmax(logits, 1), 1, generator=random)[:, 0]
    head = torch.nn.Linear(5, 5)
    with torch.no_grad():
        head.weight.copy_(3 * torch.eye(5))
        head.bias.zero_()
    assert calibrate(head, logits, told) == pytest.approx(3, rel=0.1)
    assert torch.allclose(head.weight, torch.eye(5), atol=0.1)


def test_the_same_seed_gives_the_same_classifier(corpus: Path, backbones: Path):
    from retint.data.corpus import Corpus
    from retint.train.classifier import Settings, train

    few = Settings(pictures=20, fewest=5, epochs=2, crop=32, size=32, views=1)
    one, other = (train(Corpus(corpus), backbones, few) for _ in range(2))
    assert one.about == other.about
    assert one.about["pictures"] == 20
    assert (one.net.subject.weight == other.net.subject.weight).all()


def test_without_colour_the_lightness_stays():
    import torch

    from retint.train.classifier import without_colour

    crops = torch.from_numpy(np.rint(tinted("blue", 3) * 255).astype(np.uint8))
    crops = crops.permute(2, 0, 1)[None]
    grey = without_colour(crops)
    assert grey.shape == crops.shape
    assert int((grey.amax(1).int() - grey.amin(1).int()).max()) == 0
    before, after = (
        srgb_to_lab(x[0].permute(1, 2, 0).numpy() / 255)[..., 0] for x in (crops, grey)
    )
    assert np.abs(before - after).max() < 0.3


def test_from_lightness_alone_nothing_of_colour_is_learned(
    corpus: Path, backbones: Path, tmp_path: Path
):
    path = tmp_path / "grey.onnx"
    result = run("--data", corpus, "--backbones", backbones, "-o", path, "--fewest", 5, "--grey",
                 "--views", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    held = Classifier(path).about["held_out"]
    assert held["true"]["top1"] < 0.8


@pytest.mark.parametrize(
    ("more", "says", "code"),
    [
        (["--fewest", 1000], "0 labels are carried by 1000 pictures", 2),
        (["--device", "abacus"], "abacus: this installation of torch finds no such device", 1),
        (["-o", "gone/file.onnx"], "cannot be written", 1),
    ],
)
def test_misuse_is_one_line(
    more: list[Any],
    says: str,
    code: int,
    corpus: Path,
    backbones: Path,
    tmp_path: Path,
    monkeypatch: Any,
):
    monkeypatch.chdir(tmp_path)
    result = run("--data", corpus, "--backbones", backbones, "--fewest", 5, "--epochs", 1,
                 "--views", 1, "--pictures", 6, *more)  # fmt: skip
    assert result.exit_code == code
    assert says in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.rglob("*.part"))


def test_a_backbone_that_is_not_there_is_one_line(corpus: Path, tmp_path: Path):
    result = run("--data", corpus, "--backbones", tmp_path, "--fewest", 5)
    assert result.exit_code == 1
    assert "mobilenet_v2_imagenet.safetensors: no MobileNetV2" in result.output


@pytest.fixture
def pictures(tmp_path: Path) -> PictureSet:
    """Two pictures of each tint, and what they show."""
    rows = ["file,label"]
    for label in TINTS:
        for k in range(2):
            name = f"{label.partition(':')[2] or label}-{k}.png"
            write(tmp_path / name, tinted(label, 500 + k))
            rows.append(f"{name},{label}")
    rows[-1] = "blue-1.png,mauve"
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return PictureSet.of_folder(tmp_path)


def asked(judge: Any, contestant: Any, pictures: PictureSet) -> tuple[list[Any], dict[str, Any]]:
    found: list[Any] = []
    for file in pictures.files:
        truth = pictures.open(file)
        found.append(judge.measure(truth, contestant.colour(truth)))
    return found, judge.compute(json.loads(json.dumps(found)))


def mean_of(label: str) -> tuple[float, float]:
    a, b = srgb_to_lab(tinted(label, 500))[..., 1:].mean(axis=(0, 1))
    return float(a), float(b)


class Truthful:
    """Everything as it was."""

    def colour(self, truth: Any) -> Colouring:
        return Colouring(truth.rgb, truth.lab)


def test_the_truth_is_legible_and_one_colour_everywhere_is_not(trained: Path, pictures: PictureSet):
    judge = Legibility(trained, labels_of(pictures.root))
    _, true = asked(judge, Truthful(), pictures)
    assert true["agreement"] == {"value": 1, "low": 1, "high": 1}
    assert true["named"]["value"] == true["true_named"]["value"] == 1
    assert (true["pictures"], true["labelled"]) == (6, 5)  # no classifier knows mauve
    reds, red = asked(judge, MeanColour(mean_of("red")), pictures)
    assert red["named"]["value"] == pytest.approx(2 / 5)
    assert red["agreement"]["value"] == pytest.approx(2 / 6)
    assert red["agreement"]["low"] < 2 / 6 < red["agreement"]["high"]
    by_file = dict(zip(pictures.files, reds, strict=True))
    assert [file for file, found in by_file.items() if found["agreement"]] == [
        "red-0.png",
        "red-1.png",
    ]
    assert "named" not in by_file["blue-1.png"]
    assert red["agreement_top5"]["value"] == 1  # of three labels
    _, grey = asked(judge, Grey(), pictures)
    assert grey["agreement"]["value"] <= 4 / 6


def test_a_judge_is_the_same_in_another_process(trained: Path, pictures: PictureSet):
    judge = Legibility(trained, labels_of(pictures.root))
    sent = pickle.loads(pickle.dumps(judge))
    assert asked(sent, Grey(), pictures) == asked(judge, Grey(), pictures)
    assert sent.key == judge.key != Legibility(trained).key
    assert judge.note.startswith("Legibility: ")
    assert Classifier(trained).sha256[:16] in judge.note


def test_a_folder_of_anyones_pictures_can_be_asked_about(
    trained: Path, pictures: PictureSet, tmp_path_factory: pytest.TempPathFactory
):
    theirs = tmp_path_factory.mktemp("theirs")
    for file in pictures.files:
        write(theirs / file, pictures.open(file).rgb)
    _, found = asked(Legibility(trained), Folder("theirs", theirs, pictures.files), pictures)
    assert found["agreement"]["value"] == 1
    assert found["labelled"] == 0
    assert "named" not in found


def test_labels_are_read_from_what_a_set_says(tmp_path: Path, corpus: Path):
    assert labels_of(tmp_path) == {}
    (tmp_path / "index.csv").write_text(
        "file,original\n000.jpg,n02100236_German_pointer.JPEG\n001.jpg,kodim01.png\n", "utf-8"
    )
    assert labels_of(tmp_path) == {"000.jpg": "n02100236"}
    assert labels_of(corpus)["shard.zip/0-00.png"] == "red"
    (tmp_path / "labels.csv").write_bytes(b"file,label\n\xff\xfe,\xff\n")
    with pytest.raises(InputError, match=r"labels\.csv: cannot be read"):
        labels_of(tmp_path)


def test_what_is_no_classifier_is_said_and_left_out(fake_onnx: Path, tmp_path: Path):
    with pytest.raises(ModelError, match=r"fake\.onnx: no classifier"):
        Classifier(fake_onnx)
    judges = open_judges(classifier=tmp_path / "gone.onnx", lpips=fake_onnx)
    assert [judge.compute([judge.measure(None, None)]) for judge in judges] == [{}, {}]  # pyright: ignore[reportArgumentType]
    first, second = (judge.note for judge in judges)
    assert first.startswith("Without legibility: ")
    assert "gone.onnx: No such file" in first
    assert second.startswith("Without LPIPS: ")


@pytest.mark.parametrize("text", ["{}", "no json", '{"labels": [1], "size": 1, "multiple_of": 1}'])
def test_a_classifier_that_says_nothing_sensible_of_itself(
    trained: Path, tmp_path: Path, text: str
):
    import onnx

    model = onnx.load(trained)
    onnx.helper.set_model_props(model, {"retint.classifier": text})
    path = tmp_path / "odd.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"retint\.classifier"):
        Classifier(path)
