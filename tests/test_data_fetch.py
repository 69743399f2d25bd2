"""Sources that are archives, in their publishers' layouts, from a real server or from the disk."""

import csv
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from faulty_server import Clock, Server, serving
from retint.cli import main
from retint.data.corpus import Corpus
from retint.data.fetch import archived, sources
from retint.data.fetch.archives import members
from retint.data.fetch.folder import alone_in
from retint.data.fetch.sources import SOURCES, Archive, Source
from retint.errors import InputError, OptionsError, OutputError


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def md5(data: bytes) -> str:
    return f"md5:{hashlib.md5(data).hexdigest()}"


def silent(*_: object) -> None:
    pass


def picture(colour: tuple[int, int, int] = (200, 120, 40)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (12, 8), colour).save(data, "JPEG")
    return data.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def matlab(**variables: object) -> bytes:
    from scipy.io import savemat

    data = io.BytesIO()
    savemat(data, variables)
    return data.getvalue()


def cells(*texts: str) -> np.ndarray:
    column = np.empty((len(texts), 1), object)
    column[:, 0] = texts
    return column


PIC = picture()
MORE = [picture((20 * k, 90, 200 - 10 * k)) for k in range(7)]
LICENCE = """Picture title: Boats at dawn
Picture URL: http://www.flickr.com/photos/someone/123/
Owner name: Jane Doe
License: http://creativecommons.org/licenses/by-nc/2.0/
"""
MIRFLICKR = {
    "mirflickr25k.zip": zipped(
        {
            **{f"mirflickr/im{n}.jpg": PIC for n in (1, 2, 10)},
            "mirflickr/doc/README.txt": b"",
            "mirflickr/meta/license/license2.txt": LICENCE.encode(),
            "mirflickr/meta/tags/tags1.txt": b"boat",
            "__MACOSX/mirflickr/._im1.jpg": b"\0",
        }
    ),
    "mirflickr25k_annotations_v080.zip": zipped(
        {
            "README.txt": b"1 2 3",
            "plant_life.txt": b"2\n10\n",
            "sky.txt": b"2\n",
            "sky_r1.txt": b"1\n",
        }
    ),
}
DOGS = {
    "images.tar": tarred(
        {
            "Images/n02085620-Chihuahua/n02085620_7.jpg": PIC,
            "Images/n02099601-golden_retriever/n02099601_10.jpg": MORE[0],
            "Images/n02099601-golden_retriever/n02099601_11.jpg": MORE[1],
            "Images/n02110063-malamute/n02110063_1.jpg": PIC,
        }
    ),
    "lists.tar": tarred(
        {
            "file_list.mat": matlab(file_list=cells("n02085620-Chihuahua/n02085620_7.jpg")),
            "train_list.mat": matlab(
                file_list=cells(
                    "n02099601-golden_retriever/n02099601_11.jpg",
                    "n02085620-Chihuahua/n02085620_7.jpg",
                )
            ),
            "test_list.mat": matlab(file_list=cells("n02099601-golden_retriever/n02099601_10.jpg")),
        }
    ),
}
PLACES = {
    "train_256_places365standard.tar": tarred(
        {
            "data_256/a/airfield/00000001.jpg": PIC,
            "data_256/a/apartment_building/outdoor/00000002.jpg": PIC,
        }
    ),
    "val_256.tar": tarred(
        {
            "val_256/Places365_val_00000001.jpg": PIC,
            "val_256/Places365_val_00000002.jpg": PIC,
        }
    ),
    "filelist_places365-standard.tar": tarred(
        {
            "categories_places365.txt": b"/a/airfield 0\n/a/apartment_building/outdoor 8\n",
            "places365_val.txt": b"Places365_val_00000001.jpg 8\nPlaces365_val_00000002.jpg 0\n",
            "places365_train_standard.txt": b"/a/airfield/00000001.jpg 0\n",
        }
    ),
}
IMAGENET = {
    "ILSVRC2012_img_train.tar": tarred(
        {
            "n02099601.tar": tarred({"n02099601_7.JPEG": MORE[2], "n02099601_8.JPEG": MORE[3]}),
            "n01440764.tar": tarred({"n01440764_18.JPEG": MORE[4]}),
        }
    ),
    "ILSVRC2012_img_val.tar": tarred(
        {"ILSVRC2012_val_00000001.JPEG": MORE[5], "ILSVRC2012_val_00000002.JPEG": MORE[6]}
    ),
    "ILSVRC2012_devkit_t12.tar.gz": tarred(
        {
            "ILSVRC2012_devkit_t12/data/meta.mat": matlab(
                synsets=np.array(
                    [
                        ([[1]], ["n01440764"], ["tench, Tinca tinca"]),
                        ([[2]], ["n02099601"], ["golden retriever"]),
                    ],
                    dtype=[("ILSVRC2012_ID", object), ("WNID", object), ("words", object)],
                ).reshape(2, 1)
            ),
            "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": b"2\n1\n",
        },
        "w:gz",
    ),
}


def instances(part: str, name: str) -> bytes:
    return json.dumps(
        {
            "licenses": [
                {"id": 4, "name": "BY", "url": "http://creativecommons.org/licenses/by/2.0/"}
            ],
            "images": [
                {"id": 9, "file_name": name, "license": 4, "flickr_url": f"http://f.example/{part}"}
            ],
            "annotations": [
                {"id": 1, "image_id": 9, "category_id": 18, "segmentation": [[0.5, 1.0]]},
                {"id": 2, "image_id": 9, "category_id": 18, "segmentation": {"counts": [1]}},
                {"id": 3, "image_id": 9, "category_id": 1, "segmentation": []},
            ],
            "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        }
    ).encode()


COCO = {
    "train2017.zip": zipped({"train2017/000000000009.jpg": PIC}),
    "val2017.zip": zipped({"val2017/000000000139.jpg": PIC, "val2017/000000000140.jpg": PIC}),
    "annotations_trainval2017.zip": zipped(
        {
            "annotations/captions_val2017.json": b"{}",
            "annotations/instances_train2017.json": instances("train", "000000000009.jpg"),
            "annotations/instances_val2017.json": instances("val", "000000000139.jpg"),
        }
    ),
}
CAPTIONS = "image_name| comment_number| comment\n7.jpg| 0| A man; a dog .\n7.jpg| 1| Two .\n"


def offered(source: Source, files: dict[str, bytes], server: Server) -> Source:
    """The source, its files offered by our server under its own paths."""
    moved: list[Archive] = []
    for archive in source.archives:
        path = urlsplit(archive.url).path
        server.files[path] = files[archive.name]
        url = f"{server.url}{path}" if archive.url else ""
        moved.append(replace(archive, url=url, hash=md5(files[archive.name])))
    return replace(source, archives=tuple(moved))


def on_disk(source: Source, files: dict[str, bytes], folder: Path) -> tuple[Source, list[Path]]:
    """The source and its files as somebody has them in a folder."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    archives = [replace(a, hash=md5(files[a.name])) if a.name else a for a in source.archives]
    return replace(source, archives=tuple(archives)), [folder / name for name in files]


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "pictures.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def short(folder: Path, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in listed(folder)]


def test_mirflickr(server: Server, tmp_path: Path, clock: Clock):
    source = offered(SOURCES["mirflickr"], MIRFLICKR, server)
    assert archived.fetch(source, tmp_path, clock.web(), progress=silent) == 3
    rows = listed(tmp_path)
    assert [row["file"] for row in rows] == [f"mirflickr/im{n}.jpg" for n in (1, 2, 10)]
    assert [row["labels"] for row in rows] == ["", "plant life;sky", "plant life"]
    assert {row["archive"] for row in rows} == {"mirflickr25k.zip"}
    assert rows[1]["license"] == "http://creativecommons.org/licenses/by-nc/2.0/"
    assert rows[1]["author"] == "Jane Doe"
    assert rows[1]["title"] == "Boats at dawn"
    assert rows[1]["url"] == "http://www.flickr.com/photos/someone/123/"
    assert rows[0]["license"] == source.license
    assert rows[0]["dataset"] == "mirflickr"


def test_stanford_dogs_by_breed(server: Server, tmp_path: Path, clock: Clock):
    source = offered(SOURCES["stanford-dogs"], DOGS, server)
    assert archived.fetch(source, tmp_path, clock.web(), progress=silent) == 4
    assert short(tmp_path, "labels", "split") == [
        ("n02085620:Chihuahua", "train"),
        ("n02099601:golden retriever", "test"),
        ("n02099601:golden retriever", "train"),
        ("n02110063:malamute", ""),
    ]
    for names in (("Golden_Retriever", "malamute"), ("n02099601", "n02110063")):
        found = archived.fetch(source, tmp_path, clock.web(), progress=silent, classes=names)
        assert found == 3
    with pytest.raises(OptionsError, match=r"no class 'golden retreiver'; near are: golden retr"):
        archived.fetch(
            source, tmp_path, clock.web(), progress=silent, classes=("golden retreiver",)
        )
    assert len(server.seen) == 2
    assert len(listed(tmp_path)) == 3  # an error leaves the list as it was


def test_places365_and_its_parts(server: Server, tmp_path: Path, clock: Clock):
    source = offered(SOURCES["places365"], PLACES, server)
    archived.fetch(source, tmp_path, clock.web(), progress=silent, parts=("val",))
    assert not (tmp_path / "train_256_places365standard.tar").exists()
    val = [("apartment building/outdoor", "validation"), ("airfield", "validation")]
    assert short(tmp_path, "labels", "split") == val
    archived.fetch(source, tmp_path, clock.web(), progress=silent)
    train = [("airfield", "train"), ("apartment building/outdoor", "train")]
    assert short(tmp_path, "labels", "split") == train + val
    with pytest.raises(OptionsError, match="no part 'test'; there are: train, val"):
        archived.fetch(source, tmp_path, clock.web(), progress=silent, parts=("test",))


def test_imagenet_from_its_own_archives(tmp_path: Path, clock: Clock):
    source, given = on_disk(SOURCES["imagenet"], IMAGENET, tmp_path / "mine")
    out = tmp_path / "out"
    assert archived.fetch(source, out, clock.web(), progress=silent, given=given) == 5
    assert short(out, "file", "labels", "split") == [
        ("n02099601.tar/n02099601_7.JPEG", "n02099601:golden retriever", "train"),
        ("n02099601.tar/n02099601_8.JPEG", "n02099601:golden retriever", "train"),
        ("n01440764.tar/n01440764_18.JPEG", "n01440764:tench", "train"),
        ("ILSVRC2012_val_00000001.JPEG", "n02099601:golden retriever", "validation"),
        ("ILSVRC2012_val_00000002.JPEG", "n01440764:tench", "validation"),
    ]
    row = listed(out)[0]
    assert Path(row["archive"]) == given[0].resolve()  # it stays where it is
    read = {member.name: member.read() for member in members(Path(row["archive"]))}
    assert read[row["file"]] == MORE[2]
    archived.fetch(source, out, clock.web(), progress=silent, given=given[:1])
    assert {label for (label,) in short(out, "labels")} == {"n02099601", "n01440764"}
    given[0].write_bytes(IMAGENET["ILSVRC2012_img_val.tar"])
    with pytest.raises(InputError, match="not the file that its publisher names"):
        archived.fetch(source, out, clock.web(), progress=silent, given=given)


def test_coco(server: Server, tmp_path: Path, clock: Clock):
    source = offered(SOURCES["coco"], COCO, server)
    assert archived.fetch(source, tmp_path, clock.web(), progress=silent) == 3
    assert short(tmp_path, "file", "labels", "split", "url") == [
        ("train2017/000000000009.jpg", "dog;person", "train", "http://f.example/train"),
        ("val2017/000000000139.jpg", "dog;person", "validation", "http://f.example/val"),
        ("val2017/000000000140.jpg", "", "validation", source.page),
    ]
    assert listed(tmp_path)[0]["license"] == "http://creativecommons.org/licenses/by/2.0/"
    assert archived.fetch(source, tmp_path, clock.web(), progress=silent, classes=("dog",)) == 2


@pytest.mark.parametrize("kaggle", [False, True])
def test_flickr30k_from_either_archive(kaggle: bool, tmp_path: Path, clock: Clock):
    if kaggle:
        inner = "flickr30k_images/flickr30k_images/"
        files = {f"{inner}7.jpg": PIC, f"{inner}8.jpg": PIC, "flickr30k_images/7.jpg": PIC}
        mine = {"archive.zip": zipped({**files, "results.csv": CAPTIONS.encode()})}
    else:
        images = {"flickr30k-images/7.jpg": PIC, "flickr30k-images/8.jpg": PIC}
        captions = {"results_20130124.token": b"7.jpg#0\tA man; a dog .\n7.jpg#1\tTwo .\n"}
        mine = {
            "flickr30k-images.tar.gz": tarred(images, "w:gz"),
            "flickr30k.tar.gz": tarred(captions, "w:gz"),
        }
    source, given = on_disk(SOURCES["flickr30k"], mine, tmp_path / "mine")
    out = tmp_path / "out"
    assert archived.fetch(source, out, clock.web(), progress=silent, given=given) == 2
    assert short(out, "labels") == [("A man, a dog .",), ("",)]


def test_kaggle_archives(tmp_path: Path, clock: Clock):
    tree = "dataset_updated/{}_set/{}/{}.jpg"
    art = {
        f"{copy}/{tree.format(side, kind, 1)}": PIC
        for copy in ("dataset", "musemart")
        for side, kind in (("training", "painting"), ("validation", "sculpture"))
    }
    source, given = on_disk(SOURCES["art-images"], {"art.zip": zipped(art)}, tmp_path / "art")
    out = tmp_path / "out"
    assert archived.fetch(source, out, clock.web(), progress=silent, given=given) == 2
    pairs = [("painting", "train"), ("sculpture", "validation")]
    assert short(out, "labels", "split") == pairs
    scenes = {f"Scenes/{n}.jpg": PIC for n in range(20)} | {"Scenes/read.me": b""}
    source, given = on_disk(
        SOURCES["anime-scenes"], {"scenes.zip": zipped(scenes)}, tmp_path / "anime"
    )
    assert archived.fetch(source, out, clock.web(), progress=silent, given=given) == 20
    archived.fetch(source, out, clock.web(), progress=silent, given=given, limit=5)
    five = short(out, "file")
    assert len(five) == 5
    assert five != [(f"Scenes/{n}.jpg",) for n in range(5)]  # from everywhere
    archived.fetch(source, out, clock.web(), progress=silent, given=given, limit=6)
    assert set(five) < set(short(out, "file"))


def test_one_run_at_a_time(tmp_path: Path, clock: Clock):
    source, given = on_disk(
        SOURCES["anime-scenes"], {"s.zip": zipped({"1.jpg": PIC})}, tmp_path / "m"
    )
    with alone_in(tmp_path / "o"), pytest.raises(OutputError, match="another run"):
        archived.fetch(source, tmp_path / "o", clock.web(), progress=silent, given=given)
    with pytest.raises(OutputError, match=r"s\.zip"):
        archived.fetch(source, given[0] / "o", clock.web(), progress=silent, given=given)
    with pytest.raises(OptionsError, match="two archives of one name"):
        archived.fetch(source, tmp_path / "o", clock.web(), progress=silent, given=given * 2)


def test_archives_that_are_none(tmp_path: Path, clock: Clock):
    source, given = on_disk(
        SOURCES["anime-scenes"],
        {"empty.zip": zipped({"a.txt": b""}), "cut.zip": zipped({"a.jpg": PIC})[:-30]},
        tmp_path / "mine",
    )
    good = on_disk(SOURCES["anime-scenes"], {"s.zip": zipped({"1.jpg": PIC})}, tmp_path / "good")[1]
    archived.fetch(source, tmp_path / "o", clock.web(), progress=silent, given=good)
    for path, told in zip(given, ("no pictures in", "cannot be read as an archive"), strict=True):
        with pytest.raises(InputError, match=told):
            archived.fetch(source, tmp_path / "o", clock.web(), progress=silent, given=[path])
    assert short(tmp_path / "o", "file") == [("1.jpg",)]  # the old list stays
    with pytest.raises(InputError, match="no such file"):
        archived.fetch(source, tmp_path, clock.web(), progress=silent, given=[tmp_path / "none"])
    with pytest.raises(OptionsError, match=r"cannot be downloaded freely.*--from"):
        archived.fetch(source, tmp_path, clock.web(), progress=silent)
    with pytest.raises(OptionsError, match="no archive of imagenet"):
        archived.fetch(SOURCES["imagenet"], tmp_path, clock.web(), progress=silent, given=given[:1])


def run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["data", "fetch", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_the_command_lists_its_sources():
    code, text = run("--list")
    assert code == 0
    for source in SOURCES.values():
        assert f"{source.name}: " in text
        assert source.license in text
    assert "pastvu: " in text


def test_the_command_fetches(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dogs = offered(SOURCES["stanford-dogs"], DOGS, server)
    monkeypatch.setitem(sources.SOURCES, "stanford-dogs", dogs)  # pyright: ignore[reportArgumentType]
    monkeypatch.chdir(tmp_path)
    code, text = run("stanford-dogs", "--class", "golden retriever")
    lines = text.splitlines()
    assert code == 0
    assert lines[:2] == ["images.tar: 0 %", "images.tar: 100 %"]
    assert lines[-1].startswith("2 pictures of stanford-dogs listed in stanford-dogs")
    assert run("stanford-dogs", "--class", "poodle")[0] == 2


def test_a_corpus_is_made_of_what_was_fetched(server: Server, tmp_path: Path, clock: Clock):
    """Just the listed pictures, with label, side and rights, also from tars in a tar elsewhere."""
    dogs = offered(SOURCES["stanford-dogs"], DOGS, server)
    retrievers = ("golden retriever",)
    archived.fetch(dogs, tmp_path / "dogs", clock.web(), progress=silent, classes=retrievers)
    source, given = on_disk(SOURCES["imagenet"], IMAGENET, tmp_path / "mine")
    archived.fetch(source, tmp_path / "net", clock.web(), progress=silent, given=given)
    words = ["data", "prepare", str(tmp_path / "dogs"), str(tmp_path / "net")]
    result = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "out"), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    found = sorted((e.dataset, e.labels, e.split) for e in Corpus(tmp_path / "out").entries)
    assert found == [
        ("imagenet", "n01440764:tench", "train"),
        ("imagenet", "n01440764:tench", "validation"),
        ("imagenet", "n02099601:golden retriever", "train"),
        ("imagenet", "n02099601:golden retriever", "train"),
        ("imagenet", "n02099601:golden retriever", "validation"),
        ("stanford-dogs", "n02099601:golden retriever", "test"),
        ("stanford-dogs", "n02099601:golden retriever", "train"),
    ]
    entry = Corpus(tmp_path / "out").entries[0]
    assert entry.more["license"] == dogs.license
    given[0].unlink()
    result = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "two"), "--jobs", "1"])
    assert result.exit_code == 1
    assert "ILSVRC2012_img_train.tar: no such file" in result.output


def test_the_command_wants_terms_accepted_and_options_that_fit(tmp_path: Path):
    source = SOURCES["flickr30k"]
    path = tmp_path / "mine.zip"
    path.write_bytes(zipped({"7.jpg": PIC}))
    code, text = run("flickr30k", "--from", path, "-o", tmp_path / "o")
    assert code == 2
    assert source.terms in text
    assert "--accept-terms" in text
    code, text = run("flickr30k", "--from", path, "-o", tmp_path / "o", "--accept-terms")
    assert (code, len(listed(tmp_path / "o"))) == (0, 1)
    assert "near is coco" in run("cocoa")[1]
    assert "--bounds says nothing to coco" in run("coco", "--bounds", "1,2,3,4")[1]
    assert "--class says nothing to pastvu" in run("pastvu", "--class", "dog")[1]
    assert "pastvu wants --bounds" in run("pastvu")[1]
    assert "four numbers" in run("pastvu", "--bounds", "1,2")[1]
    assert "two years" in run("pastvu", "--bounds", "1,2,3,4", "--years", "old")[1]
    assert "--accept-terms" in run("pastvu", "--bounds", "1,2,3,4", "--years", "1900-1910")[1]
