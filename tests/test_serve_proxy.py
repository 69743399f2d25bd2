"""The service behind nginx, below a path of its own, set up as docs/serve.md says."""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("fastapi", exc_type=ImportError)

import retint
from retint.serve import Settings
from retint.serve.entrance import audit
from retint.serve.store import keys
from served import Served, logged, served
from test_docs import ROOT, blocks

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Photographs = dict[str, Path]

CONFIGURATION = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, service: str, *, cuts: bool) -> Iterator[str]:
    """A proxy in front of a service, as the documentation has it: its address."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    if sys.platform != "linux":
        pytest.skip("clients have addresses in 127.0.0.0/8, which only Linux has all of")
    (location,) = blocks(ROOT / "docs" / "serve.md", "nginx")
    location = location.replace("http://127.0.0.1:8791/", f"{service}/" if cuts else service)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(port=port, location=location))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(configuration), "-e", "stderr"], stderr=log
        )
    try:
        limit = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < limit
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module", params=[True, False], ids=["cut off", "passed on"])
def behind(
    request: pytest.FixtureRequest, fake_onnx: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Served]]:
    """The service, and the same through a proxy that cuts off the path, or passes it on."""
    folder = tmp_path_factory.mktemp("proxied")
    settings = Settings(
        data=folder / "data", models={"fake": str(fake_onnx)}, device="cpu",
        names=("archive.example",), proxies=("127.0.0.1",), root_path="/retint",
    )  # fmt: skip
    with served(settings) as here, nginx(folder / "nginx", here.url, cuts=request.param) as url:
        yield here, Served(url, here.service)


def test_a_job_below_the_proxys_path(
    behind: tuple[Served, Served], photographs: Photographs, tmp_path: Path
):
    _, there = behind
    files = [("images", "a.jpg", photographs["grey.jpg"].read_bytes())]
    answer = there.ask("/retint/v1/jobs", {}, files)
    job = answer.headers["Location"]
    assert job.startswith("/retint/v1/jobs/")
    told = there.ended(job)
    assert told["items"][0]["result"] == f"{job}/results/1"
    assert there.ask(told["items"][0]["result"]).body.startswith(b"\xff\xd8")
    assert b"event: end" in there.ask(f"{job}/events").body
    client = retint.Client(f"{there.url}/retint")
    assert [receipt.status for receipt in client.receipts(told["id"])] == ["done"]
    client.results(told["id"], tmp_path / "results.zip")
    client.remove(told["id"])
    assert there.ask("/v1/models").status == 404  # which is nginx's
    told = (there.service.settings.data / audit.NAME).read_text().splitlines()
    paths = {json.loads(line)["to"] for line in told}
    assert paths == {
        path.removeprefix("/retint") for path in (job, f"{job}/results/1", f"{job}/results")
    }


def test_the_description_says_where_the_service_is(behind: tuple[Served, Served]):
    document = behind[1].ask("/retint/openapi.json").json()
    assert document["servers"] == [{"url": "/retint"}]


def test_only_the_proxy_says_who_asks(
    behind: tuple[Served, Served], caplog: pytest.LogCaptureFixture
):
    here, there = behind

    def client(url: str, source: str, headers: dict[str, str]) -> str:
        number = secrets.token_hex(4)
        with caplog.at_level("INFO", "retint.serve.entrance.access"):
            connection = http.client.HTTPConnection(url[7:], source_address=(source, 0))
            sent = {**headers, "X-Request-ID": number}
            connection.request("GET", "/retint/v1/models", headers=sent)
            assert connection.getresponse().status == 200
            connection.close()
            return logged(caplog, number)["client"]

    forged = {"X-Forwarded-For": "203.0.113.9"}
    assert client(there.url, "127.0.0.2", {}) == "127.0.0.2"
    assert client(there.url, "127.0.0.2", forged) == "127.0.0.2"
    assert client(here.url, "127.0.0.3", forged) == "127.0.0.3"  # past the proxy


def test_each_client_of_the_proxy_has_limits_of_its_own(tmp_path: Path):
    settings = Settings(
        data=tmp_path / "data", workers=0, proxies=("127.0.0.1",), root_path="/retint", rate=3
    )

    def asked(url: str, source: str) -> list[int]:
        found: list[int] = []
        for number in range(5):
            connection = http.client.HTTPConnection(url[7:], source_address=(source, 0))
            forged = {"X-Forwarded-For": f"203.0.113.{number}"}
            connection.request("GET", "/retint/v1/jobs/none", headers=forged)
            found.append(connection.getresponse().status)
            connection.close()
        return found

    with served(settings) as here, nginx(tmp_path / "nginx", here.url, cuts=True) as url:
        for source in ("127.0.0.4", "127.0.0.5"):
            assert asked(url, source) == [404, 404, 404, 429, 429]


def test_names_and_origins_are_the_visitors(behind: tuple[Served, Served]):
    _, there = behind

    def status(host: str, origin: str) -> int:
        headers = {"Host": host, "Origin": origin}
        return there.ask("/retint/v1/models", headers=headers).status

    assert status("archive.example", "https://archive.example") == 200
    assert status("archive.example", "https://other.example") == 403
    assert status("other.example", "https://other.example") == 421


def test_keys_pass(fake_onnx: Path, tmp_path: Path):
    settings = Settings(
        data=tmp_path / "data", models={"fake": str(fake_onnx)}, workers=0, keys=True,
        proxies=("127.0.0.1",), root_path="/retint",
    )  # fmt: skip
    with served(Settings(data=tmp_path / "data", workers=0)) as here:
        key = keys.add(here.service.queue.engine, "reading room")
    with served(settings) as here, nginx(tmp_path / "nginx", here.url, cuts=True) as url:
        assert retint.Client(f"{url}/retint", key).models()[0]["name"] == "fake"
        with pytest.raises(retint.RetintError, match="needs an API key"):
            retint.Client(f"{url}/retint").models()
        for past in ("//v1/models", "/./v1/models", "/x/../v1/models", "/v1//models"):
            assert Served(url, None).ask(f"/retint{past}").status in (401, 404)


@pytest.mark.browser
def test_the_api_is_tried_out_at_docs(
    behind: tuple[Served, Served], photographs: Photographs, browser: "Browser"
):
    """By a page that asks nobody else for anything, and has nothing inline."""
    _, there = behind
    page = browser.new_page()
    asked: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: trouble.append(said.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(f"{there.url}/retint/docs")
    operation = page.locator("details", has_text="POST/v1/colorize")
    operation.locator("summary").click()
    operation.get_by_label("image", exact=True).set_input_files(photographs["grey.png"])
    operation.get_by_label("saturation").fill("1.5")
    operation.get_by_label("format").fill("jpeg")
    line = operation.locator("pre", has_text="curl")
    assert line.inner_text() == (
        "curl -s -F image=@grey.png -F saturation=1.5 -F format=jpeg -o answer"
        f" {there.url}/retint/v1/colorize"
    )
    operation.get_by_role("button", name="Send").click()
    picture: Any = operation.get_by_alt_text("The picture that was answered")
    picture.wait_for()
    assert picture.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 128
    assert "200 OK" in operation.inner_text()
    page.locator("details", has_text="DELETE/v1/jobs/{id}").locator("summary").click()
    gone = page.locator("details[open]").last
    gone.get_by_label("id").fill("no such / job")
    gone.get_by_role("button", name="Send").click()
    gone.get_by_text("There is no such job").first.wait_for()
    assert all(url.startswith((f"{there.url}/retint/", "blob:", "data:")) for url in asked)
    assert [said for said in trouble if "404" not in said] == []
    page.close()
