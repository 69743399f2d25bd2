"""Corpora made from folders, ZIP files and tars: upright, whole, the same however begun."""

import csv
import io
import json
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageCms

from conftest import scene
from retint.cli import main
from retint.data.corpus import Corpus
from retint.data.prepare import Form, prepare
from retint.data.sources import originals


def jpeg(seed: int, height: int = 60, width: int = 80, **how: object) -> bytes:
    buffer = io.BytesIO()
    codes = (scene(height, width, seed) * 255).round().astype(np.uint8)
    Image.fromarray(codes).save(buffer, "JPEG", quality=95, **how)
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    """Nine pictures in two classes, one twice, one broken, and what is no picture."""
    pictures = {f"{'cats' if k % 2 else 'dogs'}/{k}.jpg": jpeg(k) for k in range(8)}
    return {
        **pictures,
        "cats/again.jpg": pictures["dogs/0.jpg"],
        "cats/cut.jpg": jpeg(30)[:700],
        "cats/notes.txt": b"no picture",
        "cats/._1.jpg": b"what macOS leaves about",
    }


def folder_of(place: Path, members: Mapping[str, bytes]) -> Path:
    for name, data in members.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def zip_of(place: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(place, "w") as archive:
        for name in sorted(members):
            archive.writestr(name, members[name])
    return place


def tar_of(place: Path, members: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(place, mode) as archive:  # pyright: ignore
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size = len(members[name])
            archive.addfile(info, io.BytesIO(members[name]))
    return place


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["data", "prepare", *map(str, words)])


def rejected(corpus: Path) -> dict[str, str]:
    with (corpus / "rejected.csv").open(newline="") as lines:
        return {Path(row["origin"]).name: row["kind"] for row in csv.DictReader(lines)}


def everything(corpus: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(corpus.iterdir())}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz", "tar"])
def test_all_kinds_of_sources_give_the_same_corpus(tmp_path: Path, kind: str):
    source = {
        "folder": lambda: folder_of(tmp_path / "pets", files()),
        "zip": lambda: zip_of(tmp_path / "pets.zip", files()),
        "tar.gz": lambda: tar_of(tmp_path / "pets.tar.gz", files()),
        "tar": lambda: tar_of(tmp_path / "pets.tar", files(), "w"),
    }[kind]()
    result = run(source, "-o", tmp_path / "out", "--shorter-side", 48, "--license", "CC0")
    assert result.exit_code == 0, result.output
    assert "8 pictures taken" in result.output
    assert "1 are broken" in result.output
    assert rejected(tmp_path / "out") == {"cut.jpg": "broken", "0.jpg": "duplicate"}
    corpus = Corpus(tmp_path / "out")
    assert {(e.labels, e.dataset, e.more["license"]) for e in corpus.entries} == {
        ("cats", "pets", "CC0"),
        ("dogs", "pets", "CC0"),
    }
    for entry in corpus.entries:
        assert corpus.picture(entry).size == (entry.width, entry.height) == (64, 48)
        assert entry.a is not None
        assert entry.dhash is not None
        assert entry.origin.startswith(f"{source.resolve().as_posix()}/")
    names = [entry.origin.rpartition("/")[2] for entry in corpus.entries]
    assert names == ["1.jpg", "3.jpg", "5.jpg", "7.jpg", "again.jpg", "2.jpg", "4.jpg", "6.jpg"]


def test_the_number_of_processes_changes_nothing(tmp_path: Path):
    source = folder_of(tmp_path / "pets", files())
    for jobs in (1, 3):
        run(source, "-o", tmp_path / str(jobs), "--jobs", jobs, "--shard-mb", 0.005)
    assert len(list((tmp_path / "1").glob("*.zip"))) > 1
    assert everything(tmp_path / "1") == everything(tmp_path / "3")


def test_a_run_that_is_killed_and_resumed_gives_the_same_corpus(tmp_path: Path):
    members = {f"{k:03}.jpg": jpeg(k, 240, 320) for k in range(60)} | {
        "000x.jpg": jpeg(3, 240, 320)
    }
    source = folder_of(tmp_path / "many", members)
    words = ["data", "prepare", str(source), "--shard-mb", "0.02", "--jobs", "1", "-o"]
    assert CliRunner().invoke(main, [*words, str(tmp_path / "whole")]).exit_code == 0
    out = tmp_path / "killed"
    killed = 0
    for wanted in (1, 3):
        command = [sys.executable, "-m", "retint", *words, str(out)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while len(list(out.glob("pictures-*.zip"))) < wanted and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()
        killed += process.returncode != 0
    assert killed
    result = CliRunner().invoke(main, [*words, str(out)])
    assert "were done by an earlier run" in result.output
    assert everything(out) == everything(tmp_path / "whole")


def test_torn_lines_and_rows_without_their_shard_are_taken_back(tmp_path: Path):
    source = folder_of(tmp_path / "pets", files())
    run(source, "-o", tmp_path / "out", "--shard-mb", 0.01)
    whole = everything(tmp_path / "out")
    last = max(name for name in whole if name.endswith(".zip"))
    (tmp_path / "out" / last).unlink()
    manifest = tmp_path / "out" / "manifest.csv"
    manifest.write_bytes(manifest.read_bytes() + b"pictures-0009.zip,0000")
    with (tmp_path / "out" / "rejected.csv").open("ab") as file:
        file.write(b"/somewhere/torn.j")
    run(source, "-o", tmp_path / "out", "--shard-mb", 0.01)
    assert everything(tmp_path / "out") == whole


def test_pictures_can_be_added_and_columns_of_others_stay(tmp_path: Path):
    out = tmp_path / "out"
    run(folder_of(tmp_path / "a", {"1.jpg": jpeg(1)}), "-o", out)
    lines = (out / "manifest.csv").read_text().splitlines()
    (out / "manifest.csv").write_text(f"{lines[0]},plate\n{lines[1]},no. 7\n")
    result = run(folder_of(tmp_path / "b", {"2.jpg": jpeg(2), "1.jpg": jpeg(1)}), "-o", out)
    assert "1 pictures taken" in result.output
    assert "1 are the same as another" in result.output
    assert [e.more.get("plate") for e in Corpus(out).entries] == ["no. 7", None]
    assert {e.shard for e in Corpus(out).entries} == {"pictures-0000.zip", "pictures-0001.zip"}


def test_pictures_are_turned_upright_and_brought_to_srgb(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is at the right
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    rgba = Image.new("RGBA", (40, 50), (255, 0, 0, 0))
    deep = Image.fromarray(np.full((50, 40), 0x8000, np.uint16))
    members = {"turned.jpg": jpeg(1, exif=exif.tobytes()), "odd.jpg": jpeg(2, icc_profile=linear)}
    for name, image in (("clear.png", rgba), ("deep.png", deep)):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        members[name] = buffer.getvalue()
    run(folder_of(tmp_path / "in", members), "-o", tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    found = {Path(e.origin).name: (e, corpus.picture(e)) for e in corpus.entries}
    assert found["turned.jpg"][1].size == (60, 80)
    upright = (scene(60, 80, 1) * 255)[::-1].transpose(1, 0, 2)
    assert np.abs(np.asarray(found["turned.jpg"][1]) - upright).mean() < 8
    assert found["odd.jpg"][1].size == (80, 60)
    assert found["clear.png"][1].getpixel((20, 20)) == (255, 255, 255)
    assert abs(found["deep.png"][1].getpixel((20, 20))[0] - 128) <= 1  # pyright: ignore


def test_kept_files_are_the_same_bytes_and_shown_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 8
    data = jpeg(1, 300, 400, exif=exif.tobytes())
    run(folder_of(tmp_path / "in", {"x/A.JPG": data}), "-o", tmp_path / "out", "--keep")
    corpus = Corpus(tmp_path / "out")
    (entry,) = corpus.entries
    assert corpus.data(entry) == data
    assert entry.file.endswith(".jpg")
    assert (entry.width, entry.height) == corpus.picture(entry).size == (300, 400)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_sidecar_names_labels_and_rights(tmp_path: Path, ending: str):
    source = folder_of(tmp_path / "pets", files())
    rows = [
        {"file": "dogs/2.jpg", "labels": "n02110063:malamute", "author": "A. Nonym", "plate": "7"},
        {"file": "3.jpg", "labels": "two cats,\nasleep"},
    ]
    sidecar = tmp_path / f"labels.{ending}"
    if ending == "csv":
        with sidecar.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["file", "labels", "author", "plate"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        sidecar.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run(source, "-o", tmp_path / "out", "--labels", sidecar, "--no-folder-labels")
    assert result.exit_code == 0, result.output
    found = {Path(entry.origin).name: entry for entry in Corpus(tmp_path / "out").entries}
    assert found["2.jpg"].labels == "n02110063:malamute"
    assert found["2.jpg"].more["author"] == "A. Nonym"
    assert found["2.jpg"].more["plate"] == "7"
    assert found["3.jpg"].labels == "two cats, asleep"
    assert found["5.jpg"].labels == ""


def test_a_sidecar_that_names_nothing_here_is_told(tmp_path: Path):
    (tmp_path / "labels.csv").write_text("file,labels\nelsewhere.jpg,cat\n")
    source = folder_of(tmp_path / "in", {"1.jpg": jpeg(1)})
    result = run(source, "-o", tmp_path / "out", "--labels", tmp_path / "labels.csv")
    assert "names none of these pictures" in result.stderr
    (tmp_path / "labels.csv").write_text("name,labels\n1.jpg,cat\n")
    result = run(source, "-o", tmp_path / "out", "--labels", tmp_path / "labels.csv")
    assert result.exit_code == 1
    assert "needs a column file" in result.stderr


def test_nothing_is_written_outside_whatever_an_archive_says(tmp_path: Path):
    members = {"../../evil.jpg": jpeg(1), "/etc/evil.jpg": jpeg(2), "fine/3.jpg": jpeg(3)}
    source = tar_of(tmp_path / "evil.tar", members)
    before = {*tmp_path.parent.rglob("*")}
    run(source, "-o", tmp_path / "out")
    new = {*tmp_path.parent.rglob("*")} - before
    assert all(path.is_relative_to(tmp_path / "out") for path in new)
    assert not Path("/etc/evil.jpg").exists()
    assert len(Corpus(tmp_path / "out").entries) == 3


def test_tars_inside_a_tar_are_read_with_their_names_as_classes(tmp_path: Path):
    """As ImageNet's archive is made."""
    inner = tar_of(tmp_path / "n02110063.tar", {"n02110063_1.JPEG": jpeg(1)}, "w").read_bytes()
    other = tar_of(tmp_path / "n02099601.tar", {"n02099601_1.JPEG": jpeg(2)}, "w").read_bytes()
    tars = {"n02110063.tar": inner, "n02099601.tar": other}
    run(tar_of(tmp_path / "train.tar", tars, "w"), "-o", tmp_path / "out")
    labels = [entry.labels for entry in Corpus(tmp_path / "out").entries]
    assert labels == ["n02099601", "n02110063"]


def test_a_broken_archive_is_named_and_what_came_before_is_taken(tmp_path: Path):
    source = tar_of(tmp_path / "cut.tar.gz", {f"{k}.jpg": jpeg(k) for k in range(6)})
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    (tmp_path / "no.zip").write_bytes(b"no archive at all")
    result = run(source, tmp_path / "no.zip", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert 1 <= len(Corpus(tmp_path / "out").entries) <= 4
    assert {"cut.tar.gz", "no.zip"} <= rejected(tmp_path / "out").keys()


def test_only_where_nothing_is_usable_the_exit_code_is_1(tmp_path: Path):
    result = run(folder_of(tmp_path / "in", {"cut.jpg": jpeg(1)[:500]}), "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "nothing usable" in result.stderr
    assert rejected(tmp_path / "out") == {"cut.jpg": "broken"}


def test_too_many_pixels_are_not_decoded(tmp_path: Path):
    source = folder_of(tmp_path / "in", {"1.jpg": jpeg(1), "2.jpg": jpeg(2, 30, 40)})
    run(source, "-o", tmp_path / "out", "--max-pixels", 2000)
    assert rejected(tmp_path / "out") == {"1.jpg": "too large"}


def test_originals_of_another_kind_can_be_prepared(tmp_path: Path):
    """What `fetch` does: any iterable of originals, told one by one."""
    source = folder_of(tmp_path / "in", {"1.jpg": jpeg(1)})
    found = originals(source, {"url": "https://example.org"})
    outcomes = list(prepare(found, tmp_path / "out", Form(32)))
    assert [outcome.fate for outcome in outcomes] == ["taken"]
    assert Corpus(tmp_path / "out").entries[0].more["url"] == "https://example.org"
