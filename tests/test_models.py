"""The registry: names, versions, private folders, mirrors, and the commands that show them."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner

from retint import hub
from retint.cli import main
from retint.errors import ModelError
from retint.predict import load


def release(folder: Path, stem: str, fake_onnx: Path, **card: object) -> None:
    """A copy of the fake model under a name of its own, with a card."""
    folder.mkdir(exist_ok=True)
    shutil.copy(fake_onnx, folder / f"{stem}.onnx")
    values = {
        "name": stem.partition("@")[0],
        "version": "1",
        "family": "sinusoid",
        "license": "MIT",
        "weights_license": "CC0",
        "parameters": 1_200,
        "size": {"multiple_of": 8},
        "working_size": 64,
        "figures": {"dE2000": 9.5},
        "sha256": hashlib.sha256(fake_onnx.read_bytes()).hexdigest(),
        **card,
    }
    (folder / f"{stem}.toml").write_text(tomli_w.dumps(values), "utf-8")


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["models", *words])
    return result.exit_code, result.output


@pytest.fixture
def house(tmp_path: Path, fake_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private folder with two versions of one model."""
    release(tmp_path / "house", "attic", fake_onnx, version="2.0")
    release(tmp_path / "house", "attic@1.5", fake_onnx, version="1.5", url="https://a.invalid/x")
    monkeypatch.setenv("RETINT_MODELS", f"{tmp_path / 'none'}:{tmp_path / 'house'}")
    monkeypatch.setenv("RETINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "house"


def test_versions_have_names(house: Path):
    assert {"attic", "attic@1.5", "default"} <= set(hub.cards())
    assert hub.card("attic").version == hub.card("attic@2.0").version == "2.0"
    old = load("attic@1.5")
    assert (old.name, old.version, old.path) == ("attic", "1.5", house / "attic@1.5.onnx")
    with pytest.raises(ModelError, match="no model is called 'attic@3'; there are: attic, attic@1"):
        hub.find("attic@3")


def test_a_private_model_comes_before_the_shipped_one(house: Path, fake_onnx: Path):
    shipped = hub.find("default")
    release(house, "default", fake_onnx, version="house")
    assert hub.card("default").version == "house"
    assert hub.where("default") == f"in {house}"
    assert hub.find(f"default@{shipped.card.version}") == shipped
    (house / "default.onnx").write_bytes(b"else")
    with pytest.raises(ModelError, match=r"default\.onnx: damaged \(.*default\.toml\)$"):
        hub.weights("default")


def test_names_are_no_paths():
    assert all(map(hub.is_name, ("default", "default@1.1", "my-model_2")))
    assert not any(map(hub.is_name, ("", "a.onnx", "./a", "../a", "a/b", "/a", "a\\b", "a@../b")))


def test_weights_come_from_a_mirror(
    house: Path, fake_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    release(house, "far", fake_onnx, url="https://nowhere.invalid/models/far-1.onnx")
    (house / "far.onnx").unlink()
    (tmp_path / "mirror/models").mkdir(parents=True)
    shutil.copy(fake_onnx, tmp_path / "mirror/models/far-1.onnx")
    monkeypatch.setenv("RETINT_MIRROR", (tmp_path / "mirror").as_uri() + "/")
    assert hub.where("far") == "to be downloaded"
    code, told = run("fetch", "far")
    assert code == 0
    assert told.startswith(f"far 1: {tmp_path / 'cache'}")
    assert hub.where("far") == "cached"
    assert load("far").version == "1"


def test_a_missing_network_is_one_sentence(
    house: Path, fake_onnx: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    release(house, "far", fake_onnx, url="http://nowhere.invalid/far.onnx")
    (house / "far.onnx").unlink()
    code, told = run("fetch", "far")
    assert code == 1
    assert len(told.splitlines()) == 1
    assert told.startswith("retint: http://nowhere.invalid/far.onnx: cannot be downloaded: ")
    assert "RETINT_MODELS" in told
    assert "RETINT_MIRROR" in told


def test_the_list_shows_what_is_known(house: Path):
    code, told = run()
    assert code == 0
    rows = {tuple(line.split()[:2]) for line in told.splitlines()}
    assert {("attic", "2.0"), ("attic", "1.5")} <= rows
    assert f"in {house}" in told
    code, told = run("--json")
    assert {card["name"] for card in json.loads(told)} >= {"attic", "default"}


def test_a_model_is_described(house: Path, fake_onnx: Path, tmp_path: Path):
    code, told = run("show", "attic@1.5")
    assert code == 0
    assert told.startswith(f"attic 1.5, in {house}\nsha256 ")
    words = dict(line.split(None, 1) for line in told.splitlines()[4:])
    assert words["figures.dE2000"] == "9.5"
    assert words["size"] == "multiple_of 8"
    assert words["parameters"] == "1,200"
    shutil.copy(fake_onnx, tmp_path / "found.onnx")
    code, told = run("show", str(tmp_path / "found.onnx"))
    assert code == 0
    assert told.startswith("fake 1, known here as attic")  # by its hash
    assert hashlib.sha256(fake_onnx.read_bytes()).hexdigest() in told
    assert "sinusoid" in told


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt2", "none.pt2"])
def test_what_is_no_model_is_told(tmp_path: Path, name: str):
    (tmp_path / "a.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path, "a.safetensors")
    (tmp_path / "a.zip").rename(tmp_path / "a.pt2")
    code, told = run("show", str(tmp_path / name))
    assert code == 1
    assert len(told.splitlines()) == 1
    assert name in told


def test_models_are_verified(house: Path, fake_onnx: Path, tmp_path: Path):
    code, told = run("verify")
    assert code == 0
    assert told.count("its sha256 is the card's; it runs") >= 3
    shutil.copy(fake_onnx, tmp_path / "found.onnx")
    code, told = run("verify", str(tmp_path / "found.onnx"), str(house / "attic.onnx"))
    assert code == 0
    assert "no .toml beside it" in told
    assert told.count("it runs") == 2
    whole = (house / "attic.onnx").read_bytes()
    (house / "attic.onnx").write_bytes(whole[:-1] + b"?")
    code, told = run("verify", "attic", "attic@1.5", str(house / "attic.onnx"))
    assert code == 1
    assert told.count("damaged") == 2  # and the one between is still looked at
    assert "attic@1.5: " in told


def test_families_are_listed_with_size_and_licence():
    rows = json.loads(CliRunner().invoke(main, ["models", "families", "--json"]).output)
    found = {(row["family"], row["variant"]): row for row in rows}
    assert found["basic", "default"]["parameters"] == 19_682
    assert found["colorful", "eccv16"]["published"] == "BSD-2-Clause"
    assert found["retint", "default"]["here"] == ["default 5"]
    assert found["autoencoder", "default"]["size"] == {"fixed": [128, 128]}
    table = CliRunner().invoke(main, ["models", "families"]).output
    assert "128 x 128" in table
    assert "multiples of 32" in table
