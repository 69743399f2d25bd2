"""A job and its receipt, names that never collide, and runs that only do what is not done."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

import retint
from retint import predict
from retint.colorizer import Colorizer, Hint, Options
from retint.errors import InputError, ModelError, OptionsError, OutputError
from retint.files import PARTIAL, colorize, colorize_file
from retint.journal import NAME, Journal, Receipt
from retint.pool import work_off
from retint.run import run, shortage
from retint.walk import Job, walk

Photographs = dict[str, Path]


@pytest.fixture(scope="module")
def colorizer(fake_onnx: Path) -> Colorizer:
    return Colorizer(predict.load(fake_onnx, threads=1))


@pytest.fixture
def scans(photographs: Photographs, tmp_path: Path) -> Path:
    """A folder of scans: two grey ones, one in a folder of its own, and one in colour."""
    folder = tmp_path / "scans"
    (folder / "box").mkdir(parents=True)
    shutil.copy(photographs["grey.jpg"], folder / "a.jpg")
    shutil.copy(photographs["grey16.tif"], folder / "box" / "b.tif")
    shutil.copy(photographs["colour.jpg"], folder / "c.jpg")
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """The files below a folder, but for its journal, with their hashes."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def names(jobs: Sequence[Job], folder: Path) -> list[str]:
    return [job.target.relative_to(folder).as_posix() for job in jobs]


def go(scans: Path, out: Path | None, model: Path, **about: Any) -> dict[str, Receipt]:
    """Run over a folder and return the receipts by the names of the sources."""
    options = Options(model=str(model))
    keywords = {
        key: about.pop(key) for key in ("overwrite", "retry_failed", "dry_run") if key in about
    }
    options = replace(options, **about)
    receipts = list(run(walk([scans], out, format=options.format), options, **keywords))
    return {Path(receipt.source).name: receipt for receipt in receipts}


# Names


def test_a_tree_is_mirrored(scans: Path, tmp_path: Path):
    jobs = walk([scans], tmp_path / "out")
    assert names(jobs, tmp_path / "out") == ["a.jpg", "c.jpg", "box/b.tif"]
    assert {job.folder for job in jobs} == {tmp_path / "out"}


def test_without_out_results_lie_beside_their_sources(scans: Path):
    jobs = walk([scans])
    assert names(jobs, scans) == ["a.colour.jpg", "c.colour.jpg", "box/b.colour.tif"]
    assert jobs[2].folder == scans / "box"
    assert names(walk([scans / "a.jpg"], suffix="-tinted"), scans) == ["a-tinted.jpg"]


def test_of_several_folders_each_keeps_its_name(tmp_path: Path, photographs: Photographs):
    for name in ("x/a.jpg", "y/a.jpg", "z.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(photographs["grey.jpg"], tmp_path / name)
    paths = [tmp_path / name for name in ("x", "y", "z.jpg")]
    assert names(walk(paths, tmp_path / "out"), tmp_path / "out") == ["x/a.jpg", "y/a.jpg", "z.jpg"]


def test_the_old_ending_stays_where_the_format_changes(tmp_path: Path, photographs: Photographs):
    for name, source in (("a.jpg", "grey.jpg"), ("a.png", "grey.png"), ("a.tif", "grey16.tif")):
        shutil.copy(photographs[source], tmp_path / name)
    found = names(walk([tmp_path], tmp_path / "out", format="png"), tmp_path / "out")
    assert found == ["a.jpg.png", "a.png", "a.tif.png"]
    assert names(walk([tmp_path / "a.jpg"], format="png"), tmp_path) == ["a.jpg.colour.png"]


def test_a_mislabelled_file_is_named_for_what_it_holds(tmp_path: Path, photographs: Photographs):
    shutil.copy(photographs["grey16.tif"], tmp_path / "a.jpg")
    (job,) = walk([tmp_path / "a.jpg"], tmp_path / "out")
    assert job.target.name == "a.jpg.tif"
    assert job.copy.name == "a.jpg"


def test_a_picture_that_promises_grey_gets_another_ending(tmp_path: Path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 255\n\x40\x80")
    assert names(walk([tmp_path], tmp_path / "out"), tmp_path / "out") == ["a.pgm.ppm"]


@pytest.mark.parametrize("pair", [("a.jpg", "A.jpg"), ("é.jpg", "é.jpg"), ("a.JPG", "a.jpg")])
def test_names_that_are_one_elsewhere_do_not_collide(
    tmp_path: Path, photographs: Photographs, pair: tuple[str, str]
):
    for folder, name in zip("xy", pair, strict=True):
        (tmp_path / folder).mkdir()
        shutil.copy(photographs["grey.jpg"], tmp_path / folder / name)
    paths = [tmp_path / folder / name for folder, name in zip("xy", pair, strict=True)]
    first, second = (job.target.name for job in walk(paths, tmp_path / "out"))
    assert first == pair[0]
    assert second.startswith(f"{Path(pair[1]).stem}~")
    assert second.endswith(Path(pair[1]).suffix)
    assert [job.target.name for job in walk(paths, tmp_path / "out")] == [first, second]


def test_a_name_that_an_earlier_source_has_stays_its_own(
    tmp_path: Path, photographs: Photographs, fake_onnx: Path
):
    for folder, source in (("x", "grey.jpg"), ("y", "toned.jpg")):
        (tmp_path / folder).mkdir()
        shutil.copy(photographs[source], tmp_path / folder / "a.jpg")
    x, y, out = tmp_path / "x" / "a.jpg", tmp_path / "y" / "a.jpg", tmp_path / "out"
    options = Options(model=str(fake_onnx))
    list(run(walk([y], out), options))
    before = sha256(out / "a.jpg")
    (receipt,) = run(walk([x], out), options)
    assert Path(receipt.target).name.startswith("a~")
    assert sha256(out / "a.jpg") == before
    # both together, in either order: nothing is done again
    assert {r.status for r in run(walk([x, y], out), options)} == {"unchanged"}
    assert {r.status for r in run(walk([y, x], out), options)} == {"unchanged"}


def test_a_moved_collection_is_known_again(scans: Path, tmp_path: Path, fake_onnx: Path):
    go(scans, tmp_path / "out", fake_onnx)
    scans.rename(tmp_path / "moved")
    again = go(tmp_path / "moved", tmp_path / "out", fake_onnx)
    assert {receipt.status for receipt in again.values()} == {"unchanged"}


def test_out_inside_the_sources_is_not_walked(scans: Path, fake_onnx: Path):
    first = go(scans, scans / "out", fake_onnx)
    assert {name: r.status for name, r in first.items()} == {
        "a.jpg": "done", "b.tif": "done", "c.jpg": "skipped",
    }  # fmt: skip
    assert {r.status for r in go(scans, scans / "out", fake_onnx).values()} == {"unchanged"}


def test_what_a_run_wrote_is_never_coloured_again(scans: Path, fake_onnx: Path):
    go(scans, None, fake_onnx)
    before = tree(scans)
    assert set(go(scans, None, fake_onnx)) == {"a.jpg", "b.tif", "c.jpg"}
    for journal in scans.rglob(NAME):
        journal.unlink()
    again = go(scans, None, fake_onnx)
    assert again["a.colour.jpg"].status == again["b.colour.tif"].status == "skipped"
    assert again["a.colour.jpg"].reason == "is a result of retint"
    assert again["a.jpg"].status == "done"  # and taken as it was, byte by byte
    assert tree(scans) == before


def test_hidden_files_and_files_of_other_kinds_are_left_alone(scans: Path, tmp_path: Path):
    for name in ("._a.jpg", ".b.jpg", "notes.txt", "a.xmp", "Thumbs.db"):
        (scans / name).write_text("something")
    (scans / ".trash").mkdir()
    shutil.copy(scans / "a.jpg", scans / ".trash" / "d.jpg")
    assert len(walk([scans], tmp_path / "out")) == 3


def test_a_file_given_twice_is_one(scans: Path):
    assert len(walk([scans, scans / "a.jpg", scans / "box" / ".." / "a.jpg"])) == 3


def test_links_are_followed_and_loops_are_told(scans: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(scans / "a.jpg", tmp_path / "elsewhere" / "d.jpg")
    (scans / "more").symlink_to(tmp_path / "elsewhere")
    (scans / "box" / "loop").symlink_to(scans)
    (scans / "self.jpg").symlink_to("self.jpg")
    (scans / "gone.jpg").symlink_to("nowhere.jpg")
    jobs = {
        job.source.relative_to(scans).as_posix(): job for job in walk([scans], tmp_path / "out")
    }
    assert jobs.keys() == {
        "a.jpg", "c.jpg", "box/b.tif", "more/d.jpg", "box/loop", "self.jpg", "gone.jpg",
    }  # fmt: skip
    assert jobs["box/loop"].problem == "a link that leads back to a folder above it"
    assert jobs["self.jpg"].problem == "too many levels of symbolic links"
    assert jobs["gone.jpg"].problem == "is a link that leads nowhere"
    assert jobs["more/d.jpg"].problem == ""


def test_what_is_no_file_is_told(scans: Path):
    os.mkfifo(scans / "pipe.jpg")
    by_name = {job.source.name: job for job in walk([scans, scans / "nothing.tif"])}
    assert by_name["pipe.jpg"].problem == "is no regular file"
    assert by_name["nothing.tif"].problem == "no such file or directory"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such rights on this system")
def test_a_folder_without_rights_is_told_and_the_run_goes_on(scans: Path, tmp_path: Path):
    closed = scans / "closed"
    closed.mkdir(mode=0)
    code = f"""
import os
from pathlib import Path
from retint.walk import walk
if os.geteuid() == 0:
    os.seteuid(65534)
for job in walk([Path({str(scans)!r})], Path({str(tmp_path / "out")!r})):
    print(job.source.name, job.problem)
"""
    for folder in (scans, *scans.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 1:
            folder.chmod(0o755)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    closed.chmod(0o755)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["a.jpg ", "c.jpg ", "b.tif ", "closed permission denied"]


@pytest.mark.parametrize(
    ("out", "about"),
    [
        (None, {"suffix": ""}),
        (None, {"suffix": "a/b"}),
        ("out", {"suffix": "a\\b"}),
        ("out", {"colours_from": "a.jpg"}),
    ],
)
def test_what_cannot_be_meant_is_refused(
    scans: Path, tmp_path: Path, out: str | None, about: dict[str, str]
):
    keywords: dict[str, Any] = dict(about)
    if "colours_from" in about:
        keywords["colours_from"] = scans / about["colours_from"]
    with pytest.raises(OptionsError):
        walk([scans], tmp_path / out if out else None, **keywords)


# One job


def test_a_receipt_tells_what_was_done(scans: Path, tmp_path: Path, fake_onnx: Path):
    receipt = go(scans, tmp_path / "out", fake_onnx)["b.tif"]
    target = tmp_path / "out" / "box" / "b.tif"
    assert receipt.source == str(scans / "box" / "b.tif")
    assert receipt.target == str(target)
    assert receipt.source_sha256 == sha256(scans / "box" / "b.tif")
    assert receipt.output_sha256 == sha256(target)
    assert (receipt.model, receipt.model_version, receipt.device) == ("fake", "1", "cpu")
    assert receipt.weights_sha256 == sha256(fake_onnx)
    assert receipt.retint_version == retint.__version__
    assert receipt.delta_L_max is not None
    assert receipt.delta_L_max <= 0.002
    assert Options.from_dict(receipt.options) == Options(model=str(fake_onnx))
    assert Journal(tmp_path / "out").find(target) == receipt
    result = pyvips.Image.new_from_file(str(target))
    assert (result.width, result.height, result.bands, result.format) == (128, 96, 3, "ushort")


@pytest.mark.parametrize("if_colour", ["skip", "copy", "recolour"])
def test_colour_photographs(scans: Path, tmp_path: Path, fake_onnx: Path, if_colour: str):
    out = tmp_path / "out"
    receipts = go(scans, out, fake_onnx, if_colour=if_colour, format="png")
    receipt = receipts["c.jpg"]
    written = {"skip": None, "copy": "c.jpg", "recolour": "c.jpg.png"}[if_colour]
    assert receipt.status == {"skip": "skipped", "copy": "copied", "recolour": "done"}[if_colour]
    assert [path.name for path in out.glob("c.*")] == ([written] if written else [])
    if if_colour == "copy":
        assert sha256(out / "c.jpg") == sha256(scans / "c.jpg") == receipt.output_sha256
        assert (out / "c.jpg").stat().st_mtime == (scans / "c.jpg").stat().st_mtime
    again = go(scans, out, fake_onnx, if_colour=if_colour, format="png")
    assert {r.status for r in again.values()} == {"unchanged"}
    assert len((out / NAME).read_text().splitlines()) == 3


def test_a_file_that_is_not_retints_is_not_replaced(scans: Path, tmp_path: Path, fake_onnx: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_text("my diary")
    receipt = go(scans, out, fake_onnx)["a.jpg"]
    assert receipt.status == "failed"
    assert "is not retint's; --overwrite replaces it" in receipt.reason
    assert (out / "a.jpg").read_text() == "my diary"
    assert go(scans, out, fake_onnx, overwrite=True)["a.jpg"].status == "done"
    assert sorted(tree(out)) == ["a.jpg", "box/b.tif"]


def test_another_source_is_not_replaced_even_with_overwrite(
    scans: Path, photographs: Photographs, fake_onnx: Path
):
    shutil.copy(photographs["grey.jpg"], scans / "a.colour.jpg")
    before = tree(scans)
    receipts = go(scans, None, fake_onnx, overwrite=True)
    assert receipts["a.jpg"].status == "failed"
    assert receipts["a.colour.jpg"].status == "done"
    assert before.items() <= tree(scans).items()


@pytest.mark.parametrize("link", ["symlink", "hardlink", "folder"])
def test_a_source_is_not_replaced_through_a_link(
    scans: Path, tmp_path: Path, fake_onnx: Path, link: str
):
    out = tmp_path / "out"
    if link == "folder":
        out.symlink_to(scans)
    else:
        out.mkdir()
        place = out / "a.jpg"
        place.symlink_to(scans / "a.jpg") if link == "symlink" else place.hardlink_to(
            scans / "a.jpg"
        )
    before = tree(scans)
    receipt = go(scans, out, fake_onnx, overwrite=True)["a.jpg"]
    assert receipt.status == "failed"
    assert receipt.reason == "its result would replace it"
    assert tree(scans) == before


def test_a_link_at_the_target_is_replaced_not_what_it_leads_to(
    scans: Path, tmp_path: Path, fake_onnx: Path, photographs: Photographs
):
    master = tmp_path / "master.jpg"
    shutil.copy(photographs["grey.jpg"], master)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jpg").symlink_to(master)
    before = sha256(master)
    assert go(scans, tmp_path / "out", fake_onnx)["a.jpg"].status == "failed"
    assert go(scans, tmp_path / "out", fake_onnx, overwrite=True)["a.jpg"].status == "done"
    assert sha256(master) == before
    assert not (tmp_path / "out" / "a.jpg").is_symlink()


def test_names_that_are_no_utf8_are_coloured(scans: Path, tmp_path: Path, fake_onnx: Path):
    name = os.fsdecode(b"Stra\xdfe.jpg")
    (scans / "a.jpg").rename(scans / name)
    receipts = go(scans, tmp_path / "out", fake_onnx)
    assert receipts[name].status == "done"
    assert (tmp_path / "out" / name).is_file()
    assert go(scans, tmp_path / "out", fake_onnx)[name].status == "unchanged"


@pytest.mark.parametrize(
    "name", ["con.jpg", "a:b?.jpg", "a. .jpg", "line\nbreak.jpg", "x" * 251 + ".jpg"]
)
def test_odd_names_are_coloured(scans: Path, tmp_path: Path, fake_onnx: Path, name: str):
    (scans / "a.jpg").rename(scans / name)
    assert go(scans, tmp_path / "out", fake_onnx)[name].status == "done"
    assert (tmp_path / "out" / name).is_file()


def test_a_name_too_long_is_told(scans: Path, fake_onnx: Path):
    name = "x" * 250 + ".jpg"
    (scans / "a.jpg").rename(scans / name)
    receipts = go(scans, None, fake_onnx)
    assert receipts[name].status == "failed"
    assert "name too long" in receipts[name].reason
    assert receipts["b.tif"].status == "done"


def test_an_error_of_our_own_costs_one_file(scans: Path, tmp_path: Path, colorizer: Colorizer):
    class Broken:
        name = version = device = weights_sha256 = "broken"

        def __call__(self, L: object, hints: object = None, tilt: object = None) -> Any:
            raise ZeroDivisionError("one\nby none")

    (job,) = walk([scans / "a.jpg"], tmp_path / "out")
    receipt = colorize_file(job, Colorizer(Broken()), Options())
    assert receipt.status == "failed"
    assert receipt.reason.endswith("please report it: ZeroDivisionError: one by none")
    assert colorize_file(job, colorizer, colorizer.options).status == "done"


def test_hints_reach_the_model_and_stand_in_the_receipt(scans: Path, tmp_path: Path):
    class Obedient:
        name = version = device = weights_sha256 = "obedient"

        def __call__(self, L: Any, hints: Any = None, tilt: Any = None) -> predict.Prediction:
            ab = np.zeros((1, 2, *L.shape[2:]), np.float32) if hints is None else hints[:, :2]
            return predict.Prediction(ab, np.ones_like(L))

    (job,) = walk([scans / "a.jpg"], tmp_path / "out")
    job = replace(job, hints=(Hint(0.5, 0.5, 40, -20, radius=1),))
    colorizer = Colorizer(Obedient(), Options())
    receipt = colorize_file(job, colorizer, Options())
    assert receipt.hints == ({"x": 0.5, "y": 0.5, "a": 40, "b": -20, "radius": 1},)
    assert Receipt.from_json(receipt.to_json()) == receipt
    assert retint.open(job.target).colour() == "toned"
    again = colorize_file(job, colorizer, Options(), earlier=receipt)
    without = colorize_file(replace(job, hints=()), colorizer, Options(), earlier=receipt)
    assert (again.status, without.status) == ("unchanged", "done")


# Runs


def test_only_what_is_not_done_is_done(scans: Path, tmp_path: Path, fake_onnx: Path):
    out = tmp_path / "out"
    go(scans, out, fake_onnx)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert {r.status for r in go(scans, out, fake_onnx).values()} == {"unchanged"}
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    assert {r.status for r in go(scans, out, fake_onnx, max_pixels=10**6).values()} == {"unchanged"}


@pytest.mark.parametrize("change", ["source", "options", "weights", "output", "no output"])
def test_what_changed_is_done_again(
    scans: Path, tmp_path: Path, fake_onnx: Path, photographs: Photographs, change: str
):
    out, model = tmp_path / "out", tmp_path / "model.onnx"
    shutil.copy(fake_onnx, model)
    go(scans, out, model)
    changed = (out / "a.jpg").read_bytes()[:-300]
    saturation = 1.0
    if change == "source":
        shutil.copy(photographs["toned.jpg"], scans / "a.jpg")
    elif change == "options":
        saturation = 0.5
    elif change == "weights":
        import onnx

        other = onnx.load(model)
        other.doc_string = "another"
        onnx.save(other, model)
    elif change == "output":
        (out / "a.jpg").write_bytes(changed)
    else:
        (out / "a.jpg").unlink()
    receipts = go(scans, out, model, saturation=saturation)
    assert receipts["a.jpg"].status == "done"
    assert sha256(out / "a.jpg") == receipts["a.jpg"].output_sha256
    others = "unchanged" if change in ("source", "output", "no output") else "done"
    assert receipts["b.tif"].status == others
    # what somebody did to the output is not lost
    asides = {name: sha for name, sha in tree(out).items() if "changed" in name}
    expected = {"a.jpg.changed": hashlib.sha256(changed).hexdigest()} if change == "output" else {}
    assert asides == expected


def test_changed_outputs_do_not_replace_each_other(scans: Path, tmp_path: Path, fake_onnx: Path):
    out = tmp_path / "out"
    for text in ("", "first", "second", "second"):
        if text:
            (out / "a.jpg").write_text(text)
        go(scans, out, fake_onnx)
    assert (out / "a.jpg.changed").read_text() == "first"
    assert (out / "a.jpg.changed-2").read_text() == "second"
    assert not (out / "a.jpg.changed-3").exists()


def test_an_output_without_a_receipt_is_taken_if_it_is_the_same(
    scans: Path, tmp_path: Path, fake_onnx: Path
):
    out = tmp_path / "out"
    go(scans, out, fake_onnx, if_colour="copy")
    before = tree(out)
    (out / NAME).unlink()
    receipts = go(scans, out, fake_onnx, if_colour="copy")
    assert {name: r.status for name, r in receipts.items()} == {
        "a.jpg": "done", "b.tif": "done", "c.jpg": "copied",
    }  # fmt: skip
    assert tree(out) == before


def test_what_failed_is_tried_again_and_alone_with_retry_failed(
    scans: Path, tmp_path: Path, fake_onnx: Path, photographs: Photographs
):
    out = tmp_path / "out"
    (scans / "a.jpg").write_bytes(b"")
    assert go(scans, out, fake_onnx)["a.jpg"].reason == "is empty"
    assert go(scans, out, fake_onnx)["a.jpg"].status == "failed"
    assert go(scans, out, fake_onnx, retry_failed=True).keys() == {"a.jpg"}
    shutil.copy(photographs["grey.jpg"], scans / "a.jpg")
    shutil.copy(photographs["grey.jpg"], scans / "new.jpg")
    again = go(scans, out, fake_onnx, retry_failed=True)
    assert {name: r.status for name, r in again.items()} == {"a.jpg": "done"}
    assert go(scans, out, fake_onnx, retry_failed=True) == {}
    assert go(scans, out, fake_onnx)["new.jpg"].status == "done"


def test_a_dry_run_writes_nothing(scans: Path, tmp_path: Path, fake_onnx: Path):
    out = tmp_path / "out"
    before = tree(tmp_path)
    receipts = go(scans, out, fake_onnx, dry_run=True)
    assert {name: r.status for name, r in receipts.items()} == {
        "a.jpg": "planned", "b.tif": "planned", "c.jpg": "skipped",
    }  # fmt: skip
    assert tree(tmp_path) == before
    assert not out.exists()


@pytest.mark.parametrize("processes", [2, 3])
def test_the_pixels_are_the_same_whatever_the_number_of_processes(
    scans: Path, tmp_path: Path, fake_onnx: Path, processes: int
):
    options = Options(model=str(fake_onnx), if_colour="recolour")
    for number in (1, processes):
        out = tmp_path / f"out{number}"
        receipts = list(run(walk([scans], out), options, processes=number))
        assert [r.status for r in receipts] == ["done"] * 3
        assert len(Journal(out).receipts()) == 3
    assert tree(tmp_path / "out1") == tree(tmp_path / f"out{processes}")


def test_a_closed_run_leaves_whole_files_and_no_others(
    scans: Path, tmp_path: Path, fake_onnx: Path
):
    for processes in (1, 2):
        out = tmp_path / f"out{processes}"
        receipts = run(walk([scans], out), Options(model=str(fake_onnx)), processes=processes)
        next(receipts)
        receipts.close()
        assert not (out / PARTIAL).exists()
        with Journal(out):  # unlocked
            pass
        done = {r.target for r in Journal(out).receipts() if r.status == "done"}
        assert {str(out / name) for name in tree(out)} >= done


def test_a_model_that_is_not_there_ends_the_run_at_once(scans: Path, tmp_path: Path):
    for processes in (1, 2):
        receipts = run(
            walk([scans], tmp_path / "out"), Options(model="no.onnx"), processes=processes
        )
        with pytest.raises(ModelError, match=r"no\.onnx"):
            list(receipts)


def test_a_second_run_in_the_folder_is_refused(scans: Path, tmp_path: Path, fake_onnx: Path):
    with Journal(tmp_path / "out"), pytest.raises(OutputError, match="another run is at work"):
        go(scans, tmp_path / "out", fake_onnx)


def test_a_folder_where_another_run_works_costs_only_its_files(scans: Path, fake_onnx: Path):
    with Journal(scans / "box"):
        receipts = go(scans, None, fake_onnx)
    assert receipts["b.tif"].status == "failed"
    assert "another run is at work" in receipts["b.tif"].reason
    assert receipts["a.jpg"].status == "done"


def _killer() -> Callable[[int], int]:
    def work(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), 9)
        return number * number

    return work


def test_a_killed_process_costs_its_item_and_the_others_go_on():
    reasons: dict[int, str] = {}

    def lost(item: int, reason: str) -> int:
        reasons[item] = reason
        return -item

    assert sorted(work_off(_killer, range(6), 2, lost)) == [-3, 0, 1, 4, 16, 25]
    assert reasons == {3: "its process was killed, for want of memory perhaps"}


def _refuser() -> Callable[[int], int]:
    raise ModelError("no such model")


def test_what_ends_a_start_is_raised():
    with pytest.raises(ModelError, match="no such model"):
        list(work_off(_refuser, range(3), 2, lambda item, reason: item))


def test_too_little_room_is_told_before(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    jobs = walk([scans], tmp_path / "out")
    assert shortage(jobs) is None
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    warning = shortage(jobs)
    assert warning is not None
    assert "the run will stop when the disk is full" in warning


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_ends_the_run_cleanly(
    tmp_path: Path, photographs: Photographs, fake_onnx: Path, processes: int
):
    """On a small tmpfs where one can be mounted; else RLIMIT_FSIZE cuts the writes short."""
    scans, disk = tmp_path / "scans", tmp_path / "disk"
    scans.mkdir()
    disk.mkdir()
    noise = pyvips.Image.gaussnoise(400, 400, mean=128, sigma=30).cast("uchar")
    for number in range(6):
        noise.tiffsave(str(scans / f"{number}.tif"))
    mounted = (
        sys.platform == "linux"
        and shutil.which("mount") is not None
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", disk],
            capture_output=True, check=False,
        ).returncode == 0
    )  # fmt: skip
    limit = "" if mounted else "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
    code = f"""
import resource, signal
from retint.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
{limit}
if __name__ == "__main__":
    main(["colorize", {str(scans)!r}, "-o", {str(disk / "out")!r}, "--model", {str(fake_onnx)!r},
          "--jobs", "{processes}"])
"""
    script = tmp_path / "full.py"
    script.write_text(code)
    try:
        ended = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1, ended.stderr
        assert "Traceback" not in ended.stderr
        out = disk / "out"
        assert not (out / PARTIAL).exists()
        receipts = Journal(out).receipts()
        done = {Path(r.target).name: r.output_sha256 for r in receipts if r.status == "done"}
        assert tree(out) == done
        if mounted:
            assert done
            assert len(done) < 6
            assert "no room is left on the disk" in ended.stderr
            assert "takes the run up again" in ended.stderr
        else:
            assert {r.status for r in receipts} == {"failed"}
    finally:
        if mounted:
            subprocess.run(["umount", disk], check=True)


# The library's one verb


def test_colorize_writes_and_tells(scans: Path, fake_onnx: Path):
    receipt = colorize(scans / "a.jpg", model=str(fake_onnx))
    assert receipt.status == "done"
    assert receipt.target == str(scans / "a.colour.jpg")
    assert sorted(path.name for path in scans.iterdir()) == [
        "a.colour.jpg",
        "a.jpg",
        "box",
        "c.jpg",
    ]
    again = colorize(scans / "a.jpg", scans / "new" / "b.png", model=str(fake_onnx), saturation=0)
    assert again.options["format"] == "png"
    result = pyvips.Image.new_from_file(str(scans / "new" / "b.png")).numpy()
    assert (result[..., 0] == result[..., 2]).all()
    assert colorize(scans / "c.jpg", model=str(fake_onnx)).status == "skipped"
    assert colorize(scans / "a.colour.jpg", model=str(fake_onnx)).status == "skipped"


def test_colorize_raises(scans: Path, fake_onnx: Path):
    before = tree(scans)
    with pytest.raises(InputError, match=r"nothing\.jpg"):
        colorize(scans / "nothing.jpg", model=str(fake_onnx))
    with pytest.raises(InputError, match="is a folder"):
        colorize(scans, model=str(fake_onnx))
    with pytest.raises(OutputError, match=r"a\.jpg: its result would replace it"):
        colorize(scans / "a.jpg", scans / "a.jpg", model=str(fake_onnx))
    with pytest.raises(OptionsError, match="mood"):
        colorize(scans / "a.jpg", mood="blue")
    with pytest.raises(OutputError, match=r"a\.jpg.*no\.tif"):
        colorize(scans / "a.jpg", scans / "a.jpg" / "no.tif", model=str(fake_onnx))
    assert tree(scans) == before
