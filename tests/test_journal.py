"""Receipts survive: as JSON, a torn line, a second run, a moved folder, a full disk."""

import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retint.errors import OutputError
from retint.journal import NAME, Journal, Receipt, absolute

# What os.fsdecode makes of names: text without NUL, lone surrogates for bytes that are no UTF-8.
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=()), min_size=1)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
RECEIPTS = st.builds(
    Receipt,
    source=NAMES,
    target=NAMES,
    status=st.sampled_from(["done", "copied", "skipped", "failed"]),
    reason=st.text(),
    options=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()),
    seconds=st.floats(0, 1e6),
    delta_L_mean=NUMBERS,
    delta_L_max=NUMBERS,
    notes=st.lists(st.text()).map(tuple),
)


def receipt(target: Path, **known: object) -> Receipt:
    return replace(Receipt(f"/scans/{target.name}", str(target), "done"), **known)


@given(RECEIPTS)
def test_receipt_to_json_and_back_is_the_same(written: Receipt):
    line = written.to_json()
    assert Receipt.from_json(line) == written
    assert line.isascii()
    assert "\n" not in line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"source": "a", "target": "b"}',
        '{"source": "a", "target": "b", "status": "perhaps"}',
        '{"source": 1, "target": "b", "status": "done"}',
        '{"source": "a", "target": "b", "status": "done", "seconds": true}',
        '{"source": "a", "target": "b", "status": "done", "options": []}',
    ],
)
def test_what_is_no_receipt_is_refused(line: str):
    with pytest.raises(ValueError, match=r"."):
        Receipt.from_json(line)


def test_keys_of_a_newer_version_are_left_out():
    line = '{"source": "a", "target": "b", "status": "done", "mood": "blue"}'
    assert Receipt.from_json(line) == Receipt("a", "b", "done")


def test_appended_receipts_are_found_again(tmp_path: Path):
    with Journal(tmp_path) as journal:
        for name in ("a.tif", "b.tif"):
            journal.append(receipt(tmp_path / name))
        journal.append(receipt(tmp_path / "a.tif", status="failed", reason="no"))
        assert journal.find(tmp_path / "a.tif") == receipt(
            tmp_path / "a.tif", status="failed", reason="no"
        )
    again = Journal(tmp_path)
    assert [r.status for r in again.receipts()] == ["failed", "done"]
    assert again.find(tmp_path / "a.tif") == journal.find(tmp_path / "a.tif")
    assert again.find(tmp_path / "c.tif") is None
    assert len((tmp_path / NAME).read_text().splitlines()) == 3


def test_a_folder_can_move_with_its_journal(tmp_path: Path):
    with Journal(tmp_path / "here") as journal:
        journal.append(receipt(tmp_path / "here" / "sub" / "a.tif"))
    (tmp_path / "here").rename(tmp_path / "there")
    there = tmp_path / "there"
    assert Journal(there).find(there / "sub" / "a.tif") == receipt(there / "sub" / "a.tif")


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_passed_over_and_nothing_is_lost_after_it(tmp_path: Path, cut: int):
    with Journal(tmp_path) as journal:
        journal.append(receipt(tmp_path / "a.tif"))
        journal.append(receipt(tmp_path / "b.tif"))
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-cut])
    with Journal(tmp_path) as journal:
        # one byte short, only the end of the line is missing
        assert (journal.find(tmp_path / "b.tif") is None) == (cut > 1)
        journal.append(receipt(tmp_path / "c.tif"))
    again = Journal(tmp_path)
    assert again.find(tmp_path / "a.tif")
    assert again.find(tmp_path / "c.tif")
    assert journal.path.read_bytes().startswith(whole[:-cut])


def test_lines_that_are_no_receipts_are_passed_over(tmp_path: Path):
    good = receipt(tmp_path / "a.tif").to_json().encode()
    (tmp_path / NAME).write_bytes(b"\0\0\xff\n{}\n" + good + b"\n\nnonsense")
    assert [r.target for r in Journal(tmp_path).receipts()] == [str(tmp_path / "a.tif")]


def test_two_runs_at_once_are_refused(tmp_path: Path):
    with Journal(tmp_path), pytest.raises(OutputError, match="another run is at work"):
        Journal(tmp_path).__enter__()
    with Journal(tmp_path):  # and it is free again
        pass


def _hold(folder: Path, held: Event) -> None:
    with Journal(folder):
        held.set()
        multiprocessing.Event().wait()


def test_a_killed_run_leaves_no_lock(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, held), daemon=True)
    process.start()
    assert held.wait(60)
    with pytest.raises(OutputError, match="another run"):
        Journal(tmp_path).__enter__()
    process.kill()
    process.join()
    with Journal(tmp_path):
        pass


def test_reading_takes_no_lock_and_makes_nothing(tmp_path: Path):
    assert Journal(tmp_path / "nowhere").receipts() == []
    assert not (tmp_path / "nowhere").exists()
    with Journal(tmp_path) as journal:
        journal.append(receipt(tmp_path / "a.tif"))
        assert len(Journal(tmp_path).receipts()) == 1


def test_writing_without_the_lock_is_a_mistake(tmp_path: Path):
    with pytest.raises(ValueError, match="with"):
        Journal(tmp_path).append(receipt(tmp_path / "a.tif"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file: is a file, not a folder"):
        Journal(tmp_path / "file").__enter__()
    with pytest.raises(OutputError, match="file/below"):
        Journal(tmp_path / "file" / "below").__enter__()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path):
    """RLIMIT_FSIZE stands in for the full disk: it cuts a write short, then fails the next one."""
    code = f"""
import resource, signal
from pathlib import Path
from retint.errors import OutputError
from retint.journal import Journal, Receipt
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path({str(tmp_path)!r})
with Journal(folder) as journal:
    journal.append(Receipt("a", str(folder / "a"), "done"))
    size = journal.path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    try:
        journal.append(Receipt("b", str(folder / "b"), "done"))
    except OutputError as error:
        print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert NAME in run.stdout
    lines = (tmp_path / NAME).read_text().splitlines()
    assert [json.loads(line)["source"] for line in lines] == ["a"]
    assert (tmp_path / NAME).read_bytes().endswith(b"\n")


def test_absolute_takes_links_out_of_the_folder_but_keeps_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/sub")
    (tmp_path / "real" / "a.tif").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    real = Path(os.path.realpath(tmp_path)) / "real"
    assert absolute("link/../a.tif") == real / "a.tif"
    assert absolute("link/..") == real
    assert absolute("real/.") == real
    assert absolute("/") == Path("/")
