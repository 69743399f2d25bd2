"""Weights from the package and from a server that does not always behave."""

import hashlib
import http.server
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from retint import hub
from retint.errors import ModelError
from served import at_work

CARD = """
name = "{name}"
version = "3"
family = "sinusoid"
license = "MIT"
weights_license = "CC0"
parameters = 12
working_size = 64
sha256 = "{sha256}"
url = "{url}"
paper = ["One", "Two"]
invented_later = ["by", "a newer version"]
[size]
multiple_of = 8
[figures]
mean_ab = [3.0, 7.5]
"""
WEIGHTS = bytes(range(256)) * 4000


class Server(http.server.ThreadingHTTPServer):
    """Serves WEIGHTS, whole or cut in the middle, and counts how often it is asked."""

    daemon_threads = True
    asked = 0
    cut_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.path != "/weights.onnx":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        self.wfile.write(WEIGHTS[: self.server.cut_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Answer) as server, at_work(server):
        yield server


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of released models, and an empty cache."""
    folder = tmp_path / "cards"
    folder.mkdir()
    monkeypatch.setattr(hub, "SHIPPED", folder)
    monkeypatch.setenv("RETINT_CACHE", str(tmp_path / "cache"))
    return folder


def release(shelf: Path, name: str = "far", url: str = "", sha256: str | None = None) -> None:
    digest = hashlib.sha256(WEIGHTS).hexdigest() if sha256 is None else sha256
    text = CARD.format(name=name, url=url, sha256=digest)
    (shelf / f"{name}.toml").write_text(text, "utf-8")


def cached() -> list[Path]:
    return sorted(hub.cache_folder().glob("*"))


def test_a_card_reads_back_what_it_says(shelf: Path):
    release(shelf)
    card = hub.card("far")
    assert hub.cards() == ["far"]
    assert (card.version, card.parameters, card.multiple_of, card.fixed) == ("3", 12, 8, None)
    assert card.figures["mean_ab"] == [3.0, 7.5]
    assert card.extra == {"invented_later": ["by", "a newer version"]}
    assert hub.Card.from_dict(card.to_dict(), "again") == card


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("parameters", "many"),
        ("parameters", True),
        ("working_size", 0),
        ("size", {"multiple_of": 0}),
        ("size", {"fixed": [256]}),
        ("size", {"multiple_of": 8, "fixed": [64, 64]}),
        ("size", {"odd": 3}),
        ("name", None),
        ("paper", "One"),
    ],
)
def test_a_card_with_a_bad_value_is_named(shelf: Path, key: str, value: object):
    release(shelf)
    values = hub.card("far").to_dict()
    with pytest.raises(ModelError, match=f"elsewhere: .*{key}"):
        hub.Card.from_dict({**values, key: value}, "elsewhere")
    del values["license"]
    with pytest.raises(ModelError, match="elsewhere: the card says nothing of license"):
        hub.Card.from_dict(values, "elsewhere")


def test_sizes_that_networks_take(shelf: Path):
    release(shelf)
    values = hub.card("far").to_dict()
    fixed = hub.Card.from_dict({**values, "size": {"fixed": [256, 192]}}, "")
    assert (fixed.fixed, fixed.multiple_of) == ((256, 192), 1)
    free = hub.Card.from_dict({**values, "size": {}}, "")
    assert (free.fixed, free.multiple_of) == (None, 1)


def test_an_unknown_name_lists_the_known_ones(shelf: Path):
    release(shelf, "far")
    release(shelf, "near")
    for name in ("nope", "../far", ""):
        with pytest.raises(ModelError, match="there are: far, near"):
            hub.card(name)


def test_a_card_that_is_no_toml_is_named(shelf: Path):
    (shelf / "torn.toml").write_text("name = [", "utf-8")
    with pytest.raises(ModelError, match=r"torn\.toml"):
        hub.card("torn")


def test_shipped_weights_are_checked(shelf: Path):
    release(shelf)
    (shelf / "far.onnx").write_bytes(WEIGHTS)
    assert hub.weights("far") == shelf / "far.onnx"
    assert hub.where("far") == "shipped"
    (shelf / "far.onnx").write_bytes(WEIGHTS[:-1])
    with pytest.raises(ModelError, match=r"far\.onnx: damaged"):
        hub.weights("far")
    (shelf / "far.onnx").unlink()
    with pytest.raises(ModelError, match="weights of far cannot be read"):
        hub.weights("far")
    assert hub.where("far") == "missing"


def test_weights_are_downloaded_once(shelf: Path, server: Server):
    release(shelf, url=f"{server.url}/weights.onnx")
    assert hub.where("far") == "to be downloaded"
    path = hub.weights("far")
    assert path.read_bytes() == WEIGHTS
    assert hub.where("far") == "cached"
    assert hub.weights("far") == path
    assert server.asked == 1
    assert cached() == [path]


def test_a_damaged_file_in_the_cache_is_fetched_again(shelf: Path, server: Server):
    release(shelf, url=f"{server.url}/weights.onnx")
    path = hub.weights("far")
    path.write_bytes(b"rotten")
    assert hub.weights("far").read_bytes() == WEIGHTS
    assert server.asked == 2


def test_a_cut_connection_leaves_nothing(shelf: Path, server: Server):
    release(shelf, url=f"{server.url}/weights.onnx")
    server.cut_after = 700_000
    with pytest.raises(ModelError, match=f"cut after 700000 of {len(WEIGHTS)} bytes"):
        hub.weights("far")
    assert cached() == []
    server.cut_after = None
    assert hub.weights("far").read_bytes() == WEIGHTS


def test_another_file_than_the_card_names_is_refused(shelf: Path, server: Server):
    release(shelf, url=f"{server.url}/weights.onnx", sha256="0" * 64)
    with pytest.raises(ModelError, match="not the file its card names"):
        hub.weights("far")
    assert cached() == []


def test_weights_without_a_hash_are_not_even_fetched(shelf: Path, server: Server):
    release(shelf, url=f"{server.url}/weights.onnx", sha256="")
    with pytest.raises(ModelError, match="no sha256"):
        hub.weights("far")
    assert server.asked == 0


def test_a_server_that_refuses_or_is_not_there(shelf: Path, server: Server):
    release(shelf, url=f"{server.url}/elsewhere.onnx")
    with pytest.raises(ModelError, match=r"elsewhere\.onnx: cannot be downloaded: .*Not Found"):
        hub.weights("far")
    with Server(("127.0.0.1", 0), Answer) as gone:
        url = gone.url
    release(shelf, url=f"{url}/weights.onnx")
    with pytest.raises(ModelError, match="cannot be downloaded"):
        hub.weights("far")
    release(shelf, url="not a url")
    with pytest.raises(ModelError, match="cannot be downloaded"):
        hub.weights("far")


def test_a_cache_that_cannot_be_written_is_named(
    shelf: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    release(shelf, url=f"{server.url}/weights.onnx")
    (tmp_path / "file").touch()
    monkeypatch.setenv("RETINT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be stored: .*RETINT_CACHE"):
        hub.weights("far")


def test_processes_at_once_all_get_the_whole_file(shelf: Path, server: Server):
    release(shelf, url=f"{server.url}/weights.onnx")
    code = (
        "import sys; from pathlib import Path; from retint import hub\n"
        "hub.SHIPPED = Path(sys.argv[1]); print(hub.sha256(hub.weights('far')))"
    )
    command = [sys.executable, "-c", code, str(shelf)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        for _ in range(4)
    ]
    printed = {process.communicate(timeout=60)[0].strip() for process in running}
    assert printed == {hashlib.sha256(WEIGHTS).hexdigest()}
    assert len(cached()) == 1


def test_the_cache_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("RETINT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert hub.cache_folder() == tmp_path / ".cache/retint"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert hub.cache_folder() == tmp_path / "xdg/retint"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hub.cache_folder() == tmp_path / "Library/Caches/retint"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert hub.cache_folder() == tmp_path / "local/retint"


def test_every_released_model_is_what_its_card_says():
    assert "default" in hub.cards()
    for name in hub.cards():
        card = hub.card(name)
        assert card.name == name
        assert card.data
        assert card.not_for
        if hub.where(name) == "shipped":
            assert hub.sha256(hub.weights(name)) == card.sha256


def test_the_hub_needs_no_runtime():
    code = "import sys, retint.hub; print('onnxruntime' in sys.modules, 'numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
