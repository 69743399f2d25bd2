"""Networks of every size rule behind one face, and what is no such network."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper

from retint import hub, predict
from retint.errors import DeviceError, ModelError, OptionsError
from retint.predict import OnnxPredictor, available_threads, load, resize

CARD: dict[str, Any] = {
    "name": "made",
    "version": "1",
    "family": "test",
    "license": "MIT",
    "weights_license": "MIT",
    "parameters": 0,
    "size": {"multiple_of": 4},
    "working_size": 64,
}
Make = Callable[..., Path]


def lightness(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 100, shape).astype(np.float32)


def sinusoid(L: np.ndarray) -> np.ndarray:
    """What the fake model makes of L."""
    return np.concatenate([30 * np.sin(L / 10), 20 * np.cos(L / 15)], axis=1)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Writes networks: 3x3 convolutions of random weights, half precision in the file."""

    def make(
        card: dict[str, Any] | str | None = CARD,
        *,
        outputs: tuple[str, str] = ("ab", "confidence"),
        channels: int = 2,
        scale: float = 1.0,
        size: tuple[int | str, int | str] = ("h", "w"),
    ) -> Path:
        rng = np.random.default_rng(0)
        weights = {
            "first": rng.normal(0, 0.02, (48, 1, 3, 3)),
            "second": rng.normal(0, 0.1, (48, 48, 3, 3)),
            "to_ab": scale * rng.normal(0, 1, (channels, 48, 1, 1)),
            "to_confidence": rng.normal(0, 0.1, (1, 48, 1, 1)),
        }
        nodes = [
            helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)
            for name in weights
        ]
        nodes += [
            helper.make_node("Conv", ["L", "first"], ["x0"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["x0"], ["x1"]),
            helper.make_node("Conv", ["x1", "second"], ["x2"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["x2"], ["x3"]),
            helper.make_node("Conv", ["x3", "to_ab"], [outputs[0]]),
            helper.make_node("Conv", ["x3", "to_confidence"], ["x4"]),
            helper.make_node("Sigmoid", ["x4"], [outputs[1]]),
        ]

        def tensor(name: str, n: int) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", n, *size])

        graph = helper.make_graph(
            nodes,
            "made",
            [tensor("L", 1)],
            [tensor(outputs[0], channels), tensor(outputs[1], 1)],
            [
                numpy_helper.from_array(w.astype(np.float16), f"{name}.half")
                for name, w in weights.items()
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        if card is not None:
            text = card if isinstance(card, str) else json.dumps(card)
            helper.set_model_props(model, {"retint.card": text})
        path = tmp_path_factory.mktemp("made") / "made.onnx"
        onnx.save(model, path)
        return path

    return make


def test_a_model_says_who_it_is(fake_onnx: Path):
    model = load(fake_onnx)
    assert (model.name, model.version, model.device) == ("fake", "1", "cpu")
    assert model.weights_sha256 == hub.sha256(fake_onnx)
    assert model.card.multiple_of == 32


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 97), st.integers(1, 97), st.integers(0, 99))
def test_any_size_and_batch_is_padded_and_cut(
    fake_model: OnnxPredictor, n: int, h: int, w: int, seed: int
):
    L = lightness(n, 1, h, w, seed=seed)
    found = fake_model(L)
    assert found.ab.dtype == found.confidence.dtype == np.float32
    assert_allclose(found.ab, sinusoid(L), atol=1e-4)
    assert_allclose(found.confidence, 0.5 + L / 200, atol=1e-6)


@pytest.fixture(scope="module")
def fake_model(fake_onnx: Path) -> OnnxPredictor:
    return OnnxPredictor(fake_onnx)


@pytest.mark.parametrize("shape", [(1, 700), (700, 1), (5, 333)])
def test_wide_and_tall(fake_model: OnnxPredictor, shape: tuple[int, int]):
    L = lightness(1, 1, *shape)
    assert_allclose(fake_model(L).ab, sinusoid(L), atol=1e-4)


def test_padding_looks_like_the_picture(make: Make):
    """A picture that was reflected by hand gives the same as one that is padded."""
    model = OnnxPredictor(make())
    L = lightness(1, 1, 10, 7)
    by_hand = np.concatenate([L, L[:, :, -2:-4:-1]], axis=2)
    by_hand = np.concatenate([by_hand, by_hand[..., -2:-3:-1]], axis=3)
    assert by_hand.shape == (1, 1, 12, 8)
    assert_array_equal(model(L).ab, model(by_hand).ab[..., :10, :7])


def test_pixels_depend_neither_on_threads_nor_on_the_batch(make: Make):
    path = make()
    batch = lightness(3, 1, 61, 83)
    one_by_one = [OnnxPredictor(path, threads=1)(picture[None]) for picture in batch]
    for threads in (1, 2, 5):
        together = OnnxPredictor(path, threads=threads)(batch)
        for i, alone in enumerate(one_by_one):
            assert_array_equal(together.ab[i], alone.ab[0])
            assert_array_equal(together.confidence[i], alone.confidence[0])


def test_half_precision_weights_are_widened_when_loaded(make: Make, tmp_path: Path):
    """With the session's options no cast is left to be done for each picture."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(make(), options, providers=["CPUExecutionProvider"])
    left = onnx.load(tmp_path / "optimised.onnx").graph.node
    assert left
    assert "Cast" not in {node.op_type for node in left}


@pytest.mark.parametrize("shape", [(32, 48), (64, 96), (31, 200), (200, 9), (1, 1)])
def test_a_network_of_one_size_is_given_the_picture_letterboxed(make: Make, shape: tuple[int, int]):
    path = make({**CARD, "size": {"fixed": [32, 48]}}, size=(32, 48))
    flat = OnnxPredictor(path)(np.full((2, 1, *shape), 60, np.float32))
    assert flat.ab.shape == (2, 2, *shape)
    assert flat.confidence.shape == (2, 1, *shape)
    if shape == (32, 48):
        L = lightness(1, 1, *shape)
        free = OnnxPredictor(make({**CARD, "size": {}}))
        assert_allclose(OnnxPredictor(path)(L).ab, free(L).ab, atol=1e-4)


def test_letterboxing_keeps_the_aspect_ratio(make: Make):
    """Twice the fixed size: what comes back is what the halved picture gives, doubled."""
    free = OnnxPredictor(make({**CARD, "size": {}}))
    fixed = OnnxPredictor(make({**CARD, "size": {"fixed": [32, 48]}}, size=(32, 48)))
    L = np.kron(lightness(1, 1, 32, 24), np.ones((2, 2), np.float32))  # tall beside 32 x 48
    small = resize(L, 32, 24)
    padded = np.pad(small, ((0, 0), (0, 0), (0, 0), (0, 24)), mode="reflect")
    expected = resize(free(padded).ab[..., :24], 64, 48)
    assert_allclose(fixed(L).ab, expected, atol=1e-3)


@pytest.mark.parametrize("height", [1, 5, 40])
@pytest.mark.parametrize("width", [1, 7, 90])
def test_resizing_keeps_constants_and_the_mean_of_a_ramp(height: int, width: int):
    constant = np.full((2, 20, 30), 7.5, np.float32)
    assert_allclose(resize(constant, height, width), 7.5, rtol=1e-6)
    ramp = np.broadcast_to(np.linspace(-1, 1, 30, dtype=np.float32), (20, 30))
    resized = resize(ramp, height, width)
    assert resized.shape == (height, width)
    assert_allclose(resized.mean(), 0, atol=1e-6)
    assert (np.diff(resized, axis=1) > -1e-6).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_colours_that_are_no_numbers_are_an_error(fake_model: OnnxPredictor, bad: float):
    L = lightness(1, 1, 8, 8)
    L[0, 0, 3, 3] = bad
    with pytest.raises(ModelError, match="fake 1 gave colours that are no numbers"):
        fake_model(L)


def test_a_network_that_overflows_is_an_error(make: Make):
    with pytest.raises(ModelError, match="no numbers"):
        OnnxPredictor(make(scale=1000.0))(np.full((1, 1, 8, 8), 3e38, np.float32))


def test_hints_are_refused_by_a_model_without_them(fake_model: OnnxPredictor):
    L = lightness(1, 1, 8, 8)
    with pytest.raises(ModelError, match="takes no hints"):
        fake_model(L, L)


@pytest.mark.parametrize("shape", [(8, 8), (1, 3, 8, 8), (1, 1, 0, 8)])
def test_lightness_of_another_shape_is_a_mistake(fake_model: OnnxPredictor, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"L is \(n, 1, h, w\)"):
        fake_model(np.zeros(shape, np.float32))


def test_files_that_are_no_models(make: Make, tmp_path: Path):
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(make().read_bytes()[:500])
    with pytest.raises(ModelError, match=r"torn\.onnx: no readable network"):
        load(torn)
    with pytest.raises(ModelError, match=r"gone\.onnx: No such file"):
        load(tmp_path / "gone.onnx")
    with pytest.raises(ModelError, match="directory"):
        load(tmp_path)
    with pytest.raises(ModelError, match=r"has no retint\.card"):
        load(make(None))
    with pytest.raises(ModelError, match=r"retint\.card cannot be read"):
        load(make("{"))
    with pytest.raises(ModelError, match=r"retint\.card cannot be read"):
        load(make("12"))
    with pytest.raises(ModelError, match=r"made\.onnx: the card says nothing of version"):
        load(make({key: value for key, value in CARD.items() if key != "version"}))


def test_networks_of_another_face(make: Make):
    with pytest.raises(ModelError, match="no retint model: it takes"):
        load(make(outputs=("colour", "confidence")))
    model = load(make(channels=3))
    with pytest.raises(ModelError, match=r"gave ab \(1, 3, 8, 8\)"):
        model(lightness(1, 1, 8, 8))
    too_free = load(make({**CARD, "size": {}}, size=(32, 48)))
    with pytest.raises(ModelError, match=r"made 1 failed: .*32"):
        too_free(lightness(1, 1, 31, 48))


def test_a_name_is_looked_up_and_anything_else_is_a_path(
    fake_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(fake_onnx.parent)
    assert load("fake.onnx").name == load("./fake.onnx").name == "fake"
    with pytest.raises(ModelError, match="no model is called 'fake'"):
        load("fake")


def test_the_default_model_colours():
    model = load()
    assert (model.name, model.weights_sha256) == ("default", hub.card("default").sha256)
    assert model.card == hub.card("default")
    assert json.loads(json.dumps(embedded(model.path)))["version"] == model.version
    found = model(lightness(1, 1, 40, 70))
    assert np.abs(found.ab).max() > 0
    assert np.abs(found.ab).max() < 130


def embedded(path: Path) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return json.loads(session.get_modelmeta().custom_metadata_map["retint.card"])


def test_a_device_that_is_not_to_be_had_is_an_error(fake_onnx: Path):
    assert predict.devices()[-1] == "cpu"
    for device in {"cuda", "tensorrt", "abacus"} - set(predict.devices()):
        with pytest.raises(DeviceError, match=f"device {device} is not to be had: .*cpu"):
            load(fake_onnx, device=device)
    assert load(fake_onnx, device="cpu").device == "cpu"


@pytest.mark.skipif("cuda" not in predict.devices(), reason="this onnxruntime has no CUDA")
def test_cuda_is_really_used_and_agrees_with_the_cpu(make: Make):
    path = make()
    model = load(path, device="cuda")
    assert model.device == load(path).device == "cuda"
    L = lightness(2, 1, 61, 83)
    assert_allclose(model(L).ab, load(path, device="cpu")(L).ab, atol=0.05)


def test_a_provider_that_onnxruntime_drops_in_silence_is_noticed(
    fake_onnx: Path, monkeypatch: pytest.MonkeyPatch
):
    """As on a machine whose onnxruntime was built for a card that is not there."""
    runtime = onnxruntime.get_available_providers()
    there = ["CUDAExecutionProvider", *runtime]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    with pytest.raises(DeviceError, match="device cuda is not to be had, though"):
        load(fake_onnx, device="cuda")
    assert load(fake_onnx).device == "cpu"


def test_threads_are_at_least_one(fake_onnx: Path):
    with pytest.raises(OptionsError, match="threads is 0"):
        load(fake_onnx, threads=0)


@pytest.fixture
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 16, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 16)


@pytest.mark.usefixtures("many_cpus")
@pytest.mark.parametrize(
    ("files", "threads"),
    [
        ({}, 16),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 16),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "350000 100000\n"}, 4),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "800000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "300000 100000\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/docker/1\n0::/\n",
                "sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us": "600000\n",
                "sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us": "100000\n",
            },
            6,
        ),
        (  # inside the container the group's folder is mounted at the top
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/docker/1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "500000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            5,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            16,
        ),
    ],
)
def test_threads_keep_to_the_containers_limits(tmp_path: Path, files: dict[str, str], threads: int):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "ascii")
    assert available_threads(tmp_path) == threads


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_threads_keep_to_the_affinity():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from retint.predict import available_threads; print(available_threads())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "1"
