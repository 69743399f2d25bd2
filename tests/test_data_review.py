"""Reviews: decisions are kept at once, survive any end, and reach the manifest unharmed."""

import csv
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from conftest import scene
from retint.cli import main
from retint.data.corpus import Corpus
from retint.data.review.decisions import NAME, Decisions, left_over
from retint.data.review.server import Server
from retint.data.review.session import Review
from retint.errors import InputError, OptionsError, OutputError
from served import at_work

COLUMNS = ["shard", "file", "dataset", "labels", "width", "height", "shelf", "a", "b"]
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF"}


def picture(ending: str, seed: int, size: tuple[int, int] = (24, 32)) -> bytes:
    file = io.BytesIO()
    codes = np.rint(scene(*size, seed) * 255).astype(np.uint8)
    Image.fromarray(codes).save(file, FORMATS[ending])
    return file.getvalue()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Eight pictures in two shards; a column of the archive's own."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    rows: list[list[object]] = []
    for shard in ("one.zip", "two.zip"):
        with zipfile.ZipFile(folder / shard, "w") as archive:
            for seed, ending in enumerate(FORMATS):
                archive.writestr(f"{seed}.{ending}", picture(ending, seed))
                labels = ["cat", "dog, wet", "", "Kätzchen"][seed]
                rows.append(
                    [shard, f"{seed}.{ending}", "attic", labels, 32, 24, f"B{seed}", seed, -1]
                )
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def journal(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / NAME).read_text().splitlines()]


def test_a_decision_is_kept_at_once_and_reaches_the_manifest_at_the_end(corpus: Path):
    before = (corpus / "manifest.csv").read_bytes()
    rows = manifest(corpus)
    with Review(corpus, "anna") as review:
        review.decide([1, 5], decision="drop")
        review.decide([1], labels="  wet \n dog ")
        lines = journal(corpus)
        assert (corpus / "manifest.csv").read_bytes() == before
    assert [(line["shard"], line["file"], line["decision"]) for line in lines] == [
        ("one.zip", "1.png", "drop"),
        ("two.zip", "1.png", "drop"),
        ("one.zip", "1.png", "drop"),
    ]
    assert lines[2]["labels"] == "wet dog"
    assert lines[2]["previous"] == {
        "decision": "drop",
        "labels": "dog, wet",
        "who": "anna",
        "when": lines[0]["when"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", str(lines[0]["when"]))

    after = manifest(corpus)
    changed = {"decision", "decided_by", "decided_at", "labels"}
    for number, (old, new) in enumerate(zip(rows, after, strict=True)):
        assert all(new[column] == old[column] for column in set(COLUMNS) - changed)
        if number not in (1, 5):
            assert new["labels"] == old["labels"]
            assert new["decision"] == new["decided_by"] == new["decided_at"] == ""
    told = [(row["decision"], row["decided_by"], row["labels"]) for row in (after[1], after[5])]
    assert told == [("drop", "anna", "wet dog"), ("drop", "anna", "dog, wet")]
    assert after[1]["decided_at"] == lines[2]["when"]


def test_dropped_pictures_are_not_trained_on(corpus: Path):
    with Review(corpus, "anna") as review:
        review.decide([0, 7], decision="drop")
        review.decide([2], decision="keep")
    train, validation = Corpus(corpus).split(0.5)
    names = {entry.name for entry in train + validation}
    assert len(names) == 6
    assert not names & {"one.zip/0.jpg", "two.zip/3.tif"}


def test_undo_gives_back_what_stood_before_and_to_whom_it_belongs(corpus: Path):
    with Review(corpus, "bob") as review:
        review.decide([0], decision="keep")
    kept = manifest(corpus)
    with Review(corpus, "anna") as review:
        review.decide([0, 1, 2], decision="drop")
        review.decide([0], decision="")
        review.decide([0], decision="")  # changes nothing, so there is nothing to undo of it
        assert review.undo() == [0]
        assert review.verdicts[0].decision == "drop"
        assert review.undo() == [0, 1, 2]
        assert review.undo() == []
        assert review.verdicts[0].who == "bob"
    assert manifest(corpus) == kept
    assert [line["undone_by"] for line in journal(corpus) if "undone_by" in line] == ["anna"] * 4


def test_a_journal_cut_anywhere_keeps_all_whole_lines(corpus: Path):
    with Review(corpus, "anna") as review:
        review.decide([0], decision="drop")
        review.decide([1], decision="keep")
        whole = (corpus / NAME).read_bytes()
    first = whole.index(b"\n") + 1
    untouched = (corpus / "manifest.csv").read_bytes()
    for cut in range(first, len(whole), 7):
        (corpus / NAME).write_bytes(whole[:cut])
        assert left_over(corpus).keys() == {("one.zip", "0.jpg")}
        with Decisions(corpus):
            pass  # ends the torn line
        assert left_over(corpus).keys() == {("one.zip", "0.jpg")}
    (corpus / "manifest.csv").write_bytes(untouched)
    with Review(corpus, "anna") as review:
        review.decide([2], decision="drop")
    assert [row["decision"] for row in manifest(corpus)[:3]] == ["drop", "keep", "drop"]


def test_what_is_left_over_is_merged_once(corpus: Path):
    with Review(corpus, "anna") as review:
        review.decide([0], decision="drop")
        written = (corpus / NAME).read_bytes()
    (corpus / NAME).write_bytes(written)  # as if the review had been killed before its merge
    text = (corpus / "manifest.csv").read_text(encoding="utf-8")
    with Review(corpus, "anna"):
        assert left_over(corpus) == {}
    by_hand = text.replace(",drop,anna,", ",keep,carl,")
    assert by_hand != text
    (corpus / "manifest.csv").write_text(by_hand, encoding="utf-8")
    with Review(corpus, "anna") as review:
        assert (review.verdicts[0].decision, review.verdicts[0].who) == ("keep", "carl")


def test_what_others_write_into_the_manifest_meanwhile_stays(corpus: Path):
    with Review(corpus, "anna") as review:
        review.decide([0], decision="drop")
        rows = manifest(corpus)
        with (corpus / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*COLUMNS, "split", "mood"])
            writer.writeheader()
            writer.writerows({**row, "split": "train", "mood": "grim"} for row in rows[:-1])
    after = manifest(corpus)
    assert len(after) == 7
    assert {row["mood"] for row in after} == {"grim"}
    assert after[0]["decision"] == "drop"
    assert after[0]["split"] == "train"


def test_a_second_review_is_told_of_the_first(corpus: Path):
    with Review(corpus, "anna") as review:
        review.decide([0], decision="drop")
        with pytest.raises(OutputError, match="somebody is reviewing this corpus already"):
            Review(corpus, "bob").__enter__()
        review.decide([1], decision="keep")
    with Review(corpus, "bob") as review:
        review.decide([1], decision="drop")
    assert [(r["decision"], r["decided_by"]) for r in manifest(corpus)[:2]] == [
        ("drop", "anna"),
        ("drop", "bob"),
    ]


def test_a_full_disk_changes_nothing_and_says_so(corpus: Path):
    resource = pytest.importorskip("resource", exc_type=ImportError)
    with Review(corpus, "anna") as review:
        review.decide([0], decision="keep")
        size = (corpus / NAME).stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        try:
            with pytest.raises(OutputError, match=NAME):
                review.decide([0, 1, 2], decision="drop")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (corpus / NAME).stat().st_size == size
        assert [verdict.decision for verdict in review.verdicts[:3]] == ["keep", "", ""]
        review.decide([1], decision="drop")
    assert [row["decision"] for row in manifest(corpus)[:3]] == ["keep", "drop", ""]


def test_what_cannot_be_decided_is_refused_whole(corpus: Path):
    with Review(corpus, "anna") as review:
        for wrong in ([-1], [0, 8]):
            with pytest.raises(OptionsError):
                review.decide(wrong, decision="keep")
        with pytest.raises(OptionsError, match="maybe"):
            review.decide([0], decision="maybe")
        assert journal(corpus) == []


def test_a_folder_without_manifest_is_refused(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(picture("jpg", 0))
    with pytest.raises(InputError, match="retint data prepare"):
        Review(tmp_path, "anna").__enter__()


def test_colours_that_are_no_numbers_have_no_place_in_the_order(corpus: Path):
    text = (corpus / "manifest.csv").read_text(encoding="utf-8")
    text = text.replace(",B0,0,-1", ",B0,nan,unknown").replace(",B1,1,-1", ",B1,,inf")
    (corpus / "manifest.csv").write_text(text, encoding="utf-8")
    with Review(corpus, "anna") as review:
        table = review.table()
    assert table["a"][:4] == [None, None, 2, 3]
    assert table["b"][:4] == [None, None, -1, -1]


def test_a_double_is_shown_beside_its_other(corpus: Path):
    (corpus / "audit").mkdir()
    (corpus / "audit" / "audit.csv").write_text(
        "shard,file,dataset,labels,reason,figure,other\n"
        "two.zip,1.png,attic,,near,3,one.zip/1.png\n"
        "two.zip,1.png,attic,,evaluation,0,elsewhere/1.png\n"
    )
    with Review(corpus, "anna") as review:
        assert review.about(5)["flagged"] == "near 3 one.zip/1.png; evaluation 0 elsewhere/1.png"
        assert review.resembled(5) == [1]
        assert review.resembled(1) == []
        assert review.table()["reasons"] == ["evaluation", "near"]


def test_the_table_tells_flags_and_earlier_decisions(corpus: Path):
    (corpus / "audit.csv").write_text(
        "shard,file,reason\none.zip,1.png,grey\none.zip,1.png,too small\ntwo.zip,9.jpg,gone\n"
    )
    with Review(corpus, "anna") as review:
        review.decide([3], decision="keep")
    with Review(corpus, "bob") as review:
        table = review.table()
        assert review.about(1)["flagged"] == "grey; too small"
        assert review.about(1)["shelf"] == "B1"
    assert [table["reasons"][n] for n in table["flags"][0][1:]] == ["grey", "too small"]
    assert table["flags"][0][0] == 1
    assert len(table["flags"]) == 1
    assert [row[:4] for row in table["verdicts"]] == [[3, "keep", "Kätzchen", "anna"]]
    assert [table["labels"][n] for n in table["label"][:2]] == ["cat", "dog, wet"]
    assert table["a"][:4] == [0, 1, 2, 3]
    (corpus / "audit.csv").write_text("file,why\n1.png,grey\n")
    with pytest.raises(InputError, match=r"audit\.csv"):
        Review(corpus, "bob").__enter__()
    (corpus / "audit.csv").unlink()
    with Review(corpus, "bob") as review:
        assert review.table()["flags"] == []


@pytest.fixture
def server(corpus: Path) -> Iterator[Server]:
    with Review(corpus, "anna") as review, Server(review) as server, at_work(server):
        yield server


def ask(
    server: Server, path: str, wish: object = None, *, token: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask as a browser would; GET, or POST with a wish."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    path = f"/{server.token if token is None else token}/{path}"
    body = None if wish is None else wish if isinstance(wish, bytes) else json.dumps(wish).encode()
    if body is not None:
        headers = {"Content_Type": "application/json", **headers}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST" if body is not None else "GET", path, body, named)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_pictures_come_as_they_are_and_others_as_jpeg(server: Server, corpus: Path):
    with zipfile.ZipFile(corpus / "one.zip") as archive:
        for number, ending in enumerate(["jpg", "png", "webp"]):
            status, headers, body = ask(server, f"picture/{number}")
            assert status == 200
            assert headers["Content-Type"] == f"image/{FORMATS[ending].lower()}"
            assert body == archive.read(f"{number}.{ending}")
            assert ask(server, f"thumbnail/{number}")[2] == body
    status, headers, body = ask(server, "picture/3")
    assert headers["Content-Type"] == "image/jpeg"
    with Image.open(io.BytesIO(body)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (32, 24))
    for beyond in ("picture/8", "picture/-1", "picture/", "about/x", "..%2fmanifest.csv", "no"):
        assert ask(server, beyond)[0] in (400, 404)


def test_large_pictures_have_small_thumbnails_and_broken_ones_say_so(corpus: Path):
    with zipfile.ZipFile(corpus / "one.zip", "w") as archive:
        archive.writestr("0.jpg", picture("jpg", 0, (900, 1200)))
        archive.writestr("3.tif", b"no picture")
    with Review(corpus, "anna") as review:
        kind, small = review.thumbnail(0)
        assert kind == "image/jpeg"
        with Image.open(io.BytesIO(small)) as shown:
            assert shown.size == (341, 256)
        for lost in (1, 3):
            with pytest.raises(InputError, match=r"one\.zip/"):
                review.thumbnail(lost)


def test_only_those_who_know_the_address_get_an_answer(server: Server):
    known = f"127.0.0.1:{server.server_port}"
    assert ask(server, "")[0] == 200
    assert ask(server, "", Host=f"localhost:{server.server_port}")[0] == 200
    assert ask(server, "", token="")[0] == 404
    assert ask(server, "pictures.json", token=server.token[:-1])[0] == 404
    assert ask(server, "pictures.json", Host="evil.example:80")[0] == 403
    keep = {"pictures": [0], "decision": "keep", "since": 0}
    for origin in ("http://evil.example", "null", f"https://{known}", "http://127.0.0.1:1"):
        assert ask(server, "decide", keep, Origin=origin)[0] == 403
    assert ask(server, "decide", keep, Content_Type="text/plain")[0] == 415
    assert server.review.version == 0
    assert ask(server, "decide", keep, Origin=f"http://{known}")[0] == 200
    assert server.review.verdicts[0].decision == "keep"
    policy = ask(server, "")[1]["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "wish",
    [
        b"{",
        b"[]",
        {"pictures": [0], "decision": "keep"},
        {"pictures": [8], "decision": "keep", "since": 0},
        {"pictures": [True], "decision": "keep", "since": 0},
        {"pictures": "0", "decision": "keep", "since": 0},
        {"pictures": [0], "decision": "burn", "since": 0},
        {"pictures": [0], "labels": 7, "since": 0},
        {"pictures": [0], "decision": "keep", "since": -1},
    ],
)
def test_nonsense_is_refused_and_changes_nothing(server: Server, wish: object):
    status, _, body = ask(server, "decide", wish)
    assert status == 400
    assert json.loads(body)["error"]
    assert server.review.version == 0


def test_every_window_hears_of_every_decision(server: Server):
    ask(server, "decide", {"pictures": [4, 2], "decision": "keep", "since": 0})
    ask(server, "decide", {"pictures": [2], "labels": "tree", "since": 0})
    told = json.loads(ask(server, "changes/0")[2])
    assert told["version"] == 3
    assert [row[:4] for row in told["changes"]] == [
        [4, "keep", "cat", "anna"],
        [2, "keep", "tree", "anna"],
    ]
    assert json.loads(ask(server, "changes/3")[2])["changes"] == []
    undone = json.loads(ask(server, "undo", {"since": 3})[2])
    assert undone["undone"] == [2]
    assert [row[:3] for row in undone["changes"]] == [[2, "keep", ""]]


def test_a_taken_port_is_told(server: Server):
    with pytest.raises(OptionsError, match=str(server.server_port)):
        Server(server.review, server.server_port)


def started(corpus: Path) -> tuple["subprocess.Popen[str]", str]:
    """`retint data review` in a process of its own, and its address."""
    words = [sys.executable, "-m", "retint", "data", "review", str(corpus), "--as", "anna"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **pipes)
    assert process.stdout is not None
    return process, process.stdout.readline().split()[-1]


def drop_first(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    wish = json.dumps({"pictures": [0], "decision": "drop", "since": 0})
    connection.request("POST", f"{parts.path}decide", wish, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_review_with_its_merge(corpus: Path, number: signal.Signals):
    process, url = started(corpus)
    drop_first(url)
    assert manifest(corpus)[0].get("decision") is None
    process.send_signal(number)
    told, wrong = process.communicate(timeout=30)
    assert (process.returncode, wrong) == (0, "")
    assert "1 picture decided" in told
    assert manifest(corpus)[0]["decision"] == "drop"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_killed_review_loses_nothing(corpus: Path):
    process, url = started(corpus)
    drop_first(url)
    process.kill()
    process.communicate(timeout=30)
    assert manifest(corpus)[0].get("decision") is None
    with Review(corpus, "bob") as review:
        assert (review.verdicts[0].decision, review.verdicts[0].who) == ("drop", "anna")
        assert manifest(corpus)[0]["decided_by"] == "anna"


def test_decisions_are_exported_also_while_a_review_goes_on(corpus: Path, tmp_path: Path):
    exported = tmp_path / "decisions.csv"
    with Review(corpus, "anna") as review:
        review.decide([3], labels="kitten, small")
        review.decide([6], decision="drop")
        words = ["data", "review", str(corpus), "--export", str(exported)]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        assert "2 decisions" in result.output
    with exported.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["file"], r["decision"], r["labels"], r["decided_by"]) for r in rows] == [
        ("3.tif", "", "kitten, small", "anna"),
        ("2.webp", "drop", "", "anna"),
    ]


def test_the_command_says_what_is_wrong(corpus: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(main, ["data", "review", str(tmp_path / "empty")])
    assert result.exit_code == 1
    assert "manifest.csv" in result.output
    with Review(corpus, "anna"):
        result = CliRunner().invoke(main, ["data", "review", str(corpus)])
    assert result.exit_code == 1
    assert "already" in result.output


def test_somebody_has_to_decide(corpus: Path, monkeypatch: pytest.MonkeyPatch):
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", nobody)
    result = CliRunner().invoke(main, ["data", "review", str(corpus)])
    assert result.exit_code == 2
    assert "--as NAME" in result.output
    assert not (corpus / NAME).exists()
