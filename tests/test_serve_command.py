"""`retint serve` and its keys, from the command line."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("fastapi", exc_type=ImportError)

from retint.cli import main
from retint.cli.serve import _is_loopback, _server
from retint.errors import OptionsError
from retint.serve.settings import Settings, models_by_name
from retint.serve.store import keys
from retint.serve.store.database import open_database


def serve(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["serve", *words, "--data", str(data)])


def test_a_key_is_made_listed_and_revoked(tmp_path: Path):
    made = serve(tmp_path, "key", "add", "reading room")
    assert re.fullmatch(r"retint_[0-9a-f]{8}_[\w-]{43}\n", made.stdout)
    id = made.stdout.split("_")[1]
    assert re.fullmatch(
        rf"{id}  reading room  since 20\S+\n", serve(tmp_path, "key", "list").stdout
    )
    assert serve(tmp_path, "key", "revoke", id).exit_code == 0
    assert "  revoked 20" in serve(tmp_path, "key", "list").stdout
    again = serve(tmp_path, "key", "revoke", id)
    assert (again.exit_code, again.stderr) == (
        2, f"retint: there is no valid key {id}: retint serve key list shows all\n",
    )  # fmt: skip
    engine = open_database(Settings(data=tmp_path).url)
    assert keys.check(engine, made.stdout.strip()) is None
    engine.dispose()


def test_who_has_no_name_can_make_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A container's user may be a number that no list of users knows."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    made = serve(tmp_path, "key", "add", "reading room")
    assert made.stdout.startswith("retint_")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--host", "0.0.0.0"), "there is no API key yet: retint serve key add NAME makes one"),
        (("--keys",), "there is no API key yet"),
        (("--proxy", "192.0.2.1"), "there is no API key yet"),
        (("--proxy", "nginx"), "the proxy nginx is no address or network in digits"),
        (("--root-path", "retint"), "the root path is 'retint', not like /retint"),
        (("--model", "nowhere.onnx"), "nowhere.onnx: No such file"),
        (("--model", "a/x.onnx", "--model", "b/x.onnx"), "two models are called x"),
        (("--host", "203.0.113.1", "--no-keys"), "203.0.113.1, port 8791: "),
        (("--db", "nonsense"), "the database's URL is none"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_line(tmp_path: Path, words: tuple[str, ...], told: str):
    result = serve(tmp_path, *words)
    assert result.exit_code in (1, 2)
    assert result.stderr.startswith("retint: ")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_keys_are_asked_for_where_other_machines_are_let_in():
    assert all(_is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"))
    assert not any(_is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.2", "archive"))


@pytest.mark.parametrize(
    ("words", "limits"),
    [
        ((), (0, 0)),
        (("--rate", "30"), (30, 0)),
        (("--host", "0.0.0.0"), (600, 16)),
        (("--proxy", "127.0.0.1", "--concurrency", "0"), (600, 0)),
        (("--host", "::1"), (0, 0)),
    ],
)
def test_limits_hold_where_other_machines_are_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], limits: tuple[int, int]
):
    given: list[Settings] = []
    monkeypatch.setattr(_server, "serve", lambda settings, *_: given.append(settings))
    assert serve(tmp_path, *words, "--root-path", "/retint/", "--name", "a").exit_code == 0
    (settings,) = given
    assert (settings.rate, settings.concurrency) == limits
    assert settings.root_path == "/retint"
    assert "a" in settings.names


def test_models_are_asked_for_by_name():
    given = ("default", "default@1.1", "models/mine.onnx")
    assert models_by_name(given) == {
        "default": "default", "default@1.1": "default@1.1", "mine": "models/mine.onnx",
    }  # fmt: skip
    with pytest.raises(OptionsError, match="needs a model"):
        Settings(data=Path(), models={})
