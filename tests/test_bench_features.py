"""Judges that see with a network from a file: Frechet distance and LPIPS, with real small ones."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import pyvips
from onnx import TensorProto, helper, numpy_helper
from scipy.linalg import sqrtm

from conftest import scene
from retint.bench.contestants import Colouring, Grey, MeanColour
from retint.bench.features import INCEPTION, SOURCE, Frechet, Lpips, packed, unpacked
from retint.bench.judges import open_judges
from retint.bench.sets import PictureSet
from retint.errors import ModelError

FEATURES = 4


def picture(name: str, size: tuple[Any, Any] = ("h", "w")) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, *size])


def save(path: Path, nodes: Any, inputs: Any, weights: Any = (), metadata: Any = None) -> Path:
    shape = ["n"] if len(inputs) == 2 else ["n", "d", 1, 1]
    output = helper.make_tensor_value_info("found", TensorProto.FLOAT, shape)
    held = [numpy_helper.from_array(value, name) for name, value in weights]
    graph = helper.make_graph(nodes, "judge", inputs, [output], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def projection(path: Path, size: tuple[Any, Any] = ("h", "w"), **more: Any) -> Path:
    """A network of features: the mean of four random 5x5 filters after a rectifier."""
    filters = np.random.default_rng(0).normal(0, 9, (FEATURES, 3, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["rgb", "filters"], ["maps"], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["maps"], ["lit"]),
        helper.make_node("GlobalAveragePool", ["lit"], ["found"]),
    ]
    return save(path, nodes, [picture("rgb", size)], [("filters", filters)], **more)


def distance(path: Path) -> Path:
    """A network of two pictures: the mean of the squared differences of random filters' answers."""
    filters = np.random.default_rng(0).normal(0, 1, (8, 3, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Sub", ["rgb", "truth"], ["apart"]),
        helper.make_node("Conv", ["apart", "filters"], ["maps"], pads=[2, 2, 2, 2]),
        helper.make_node("Mul", ["maps", "maps"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["found"], axes=[1, 2, 3], keepdims=0),
    ]
    return save(path, nodes, [picture("rgb"), picture("truth")], [("filters", filters)])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureSet:
    """Nine drawn pictures of three sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    for k in range(9):
        rgb = scene(40 + 8 * (k % 3), 64, seed=k)[:: 1 if k % 2 else -1] * (1 - k / 20)
        codes = np.rint(rgb * 255).astype(np.uint8)
        image = pyvips.Image.new_from_array(codes).copy(interpretation="srgb")
        image.write_to_file(str(folder / f"{k}.png"))
    return PictureSet.of_folder(folder)


class Truthful:
    """Everything as it was."""

    def colour(self, truth: Any) -> Colouring:
        return Colouring(truth.rgb, truth.lab)


def asked(judge: Any, contestant: Any, pictures: PictureSet) -> tuple[list[Any], dict[str, Any]]:
    """What a judge measures of each picture, and of the set after a journal had it."""
    found: list[Any] = []
    for file in pictures.files:
        truth = pictures.open(file)
        found.append(judge.measure(truth, contestant.colour(truth)))
    return found, judge.compute(json.loads(json.dumps(found)))


def test_the_distance_is_that_of_the_features_gaussians(pictures: PictureSet, tmp_path: Path):
    """Against the formula with scipy's matrix root, on features read beside the judge."""
    import onnxruntime

    path = projection(tmp_path / "features.onnx")
    _, computed = asked(Frechet(path), Grey(), pictures)
    assert computed["pictures"] == 9
    assert computed["features"] == FEATURES
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def features(contestant: Any) -> np.ndarray:
        rgbs = [contestant.colour(pictures.open(file)).rgb for file in pictures.files]
        return np.array([session.run(None, {"rgb": x.transpose(2, 0, 1)[None]})[0].ravel()
                         for x in rgbs], np.float64)  # fmt: skip

    grey, true = features(Grey()), features(Truthful())
    C1, C2 = np.cov(grey.T), np.cov(true.T)
    root = np.real(np.asarray(sqrtm(C1 @ C2)))
    wanted = ((grey.mean(0) - true.mean(0)) ** 2).sum() + np.trace(C1 + C2 - 2 * root)
    assert wanted > 0.01
    assert computed["frechet"] == pytest.approx(wanted, rel=0.01)  # kept in half precision


def test_the_truth_is_at_no_distance_and_more_colour_wrong_at_more(
    pictures: PictureSet, tmp_path: Path
):
    judge = Frechet(projection(tmp_path / "features.onnx"))
    true, grey, green = (
        asked(judge, c, pictures)[1]["frechet"] for c in (Truthful(), Grey(), MeanColour((-60, 50)))
    )
    assert true == pytest.approx(0, abs=1e-4)
    assert true < grey < green


def test_fid_is_only_what_is_known_to_be(tmp_path: Path):
    assert Frechet(projection(tmp_path / "mine.onnx")).name == "frechet"
    assert "no FID" in Frechet(tmp_path / "mine.onnx").note
    assert Frechet(tmp_path / "mine.onnx", fid=True).name == "fid"
    metadata = {SOURCE: INCEPTION + 56 * "0"}
    judge = Frechet(projection(tmp_path / "inception.onnx", metadata=metadata))
    assert judge.name == "fid"
    assert judge.note.startswith("FID on the features of inception.onnx")
    assert judge.network.sha256[:16] in judge.note


def test_a_network_of_one_size_is_given_that(pictures: PictureSet, tmp_path: Path):
    _, computed = asked(Frechet(projection(tmp_path / "f.onnx", (32, 48))), Grey(), pictures)
    assert computed["features"] == FEATURES


def test_one_picture_has_no_distribution(pictures: PictureSet, tmp_path: Path):
    judge = Frechet(projection(tmp_path / "features.onnx"))
    found, _ = asked(judge, Grey(), pictures)
    assert judge.compute(found[:1]) == {"pictures": 1, "frechet": None}


def test_lpips_is_what_the_file_says(pictures: PictureSet, tmp_path: Path):
    import onnxruntime

    path = distance(tmp_path / "lpips.onnx")
    judge = Lpips(path)
    found, computed = asked(judge, Grey(), pictures)
    assert computed == {}
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for file, record in zip(pictures.files, found, strict=True):
        truth = pictures.open(file)
        given = {"rgb": Grey().colour(truth).rgb, "truth": truth.rgb}
        (wanted,) = session.run(None, {k: v.transpose(2, 0, 1)[None] for k, v in given.items()})
        assert record["lpips"] == pytest.approx(float(wanted[0]), abs=1e-5)
        assert record["lpips"] > 0
    same, _ = asked(judge, Truthful(), pictures)
    assert {record["lpips"] for record in same} == {0.0}


@pytest.mark.parametrize("kind", [Frechet, Lpips])
def test_judges_go_to_other_processes(kind: Any, pictures: PictureSet, tmp_path: Path):
    path = (projection if kind is Frechet else distance)(tmp_path / "network.onnx")
    judge = kind(path)
    sent = pickle.loads(pickle.dumps(judge))
    assert sent.key == judge.key
    assert asked(sent, Grey(), pictures) == asked(judge, Grey(), pictures)


def test_features_are_kept_as_text():
    values = np.array([0, 1, -2.5, 1000.0], np.float32)
    assert (unpacked(packed(values)) == values).all()


def test_other_faces_are_refused(fake_onnx: Path, tmp_path: Path):
    one, two = projection(tmp_path / "one.onnx"), distance(tmp_path / "two.onnx")
    with pytest.raises(ModelError, match=r"fake\.onnx: takes .*, not a picture"):
        Frechet(fake_onnx)
    with pytest.raises(ModelError, match=r"two\.onnx: takes .*, not a picture"):
        Frechet(two)
    with pytest.raises(ModelError, match=r"one\.onnx: takes .*, not two pictures"):
        Lpips(one)


def test_what_is_no_number_is_an_error(pictures: PictureSet, tmp_path: Path):
    truth = pictures.open(pictures.files[0])
    nodes = [helper.make_node("Log", ["rgb"], ["logs"]),
             helper.make_node("GlobalAveragePool", ["logs"], ["found"])]  # fmt: skip
    judge = Frechet(save(tmp_path / "logs.onnx", nodes, [picture("rgb")]))
    black = np.zeros_like(truth.rgb)
    with pytest.raises(ModelError, match="gave something that is no number"):
        judge.measure(truth, Colouring(black, truth.lab))
    scale = [("large", np.array(1e6, np.float32))]
    nodes = [helper.make_node("Mul", ["rgb", "large"], ["up"]),
             helper.make_node("GlobalAveragePool", ["up"], ["found"])]  # fmt: skip
    judge = Frechet(save(tmp_path / "large.onnx", nodes, [picture("rgb")], scale))
    with pytest.raises(ModelError, match="beyond half precision"):
        judge.measure(truth, Colouring(truth.rgb, truth.lab))


def test_absent_files_are_a_sentence_and_the_rest_is_judged(pictures: PictureSet, tmp_path: Path):
    judges = open_judges(
        fid=tmp_path / "gone.onnx", features=projection(tmp_path / "features.onnx"), lpips=None
    )
    assert [judge.name for judge in judges] == ["FID", "frechet"]
    assert judges[0].note.startswith(f"Without FID: {tmp_path / 'gone.onnx'}: No such file")
    found, computed = asked(judges[0], Grey(), pictures)
    assert (found[0], computed) == ({}, {})
    assert asked(judges[1], Grey(), pictures)[1]["frechet"] > 0
