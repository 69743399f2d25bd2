"""What the archives of each source say of their pictures: a rule from paths and lists to rows.

Each function takes the source's archives by name (those that are there) and yields rows with
`archive` (its name), `file` and what is known; layouts are those of the publishers.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from retint.data.fetch.archives import members, readable, texts
from retint.data.fetch.pictures import Row
from retint.errors import InputError

Archives = Mapping[str, Path]


def mirflickr(archives: Archives) -> Iterator[Row]:
    """mirflickr/im7.jpg, with mirflickr/meta/license/*7.txt; NAME.txt of the annotations has the
    numbers of the pictures that show it (NAME_r1.txt, the narrower choice, is not taken)."""
    shown: dict[str, list[str]] = defaultdict(list)
    for name, text in texts(archives["mirflickr25k_annotations_v080.zip"], ".txt").items():
        label = PurePosixPath(name).stem
        if label != "README" and not label.endswith("_r1"):
            for number in text.decode("utf-8", "replace").split():
                shown[number].append(label.replace("_", " "))
    pictures: dict[str, str] = {}
    rights: dict[str, Row] = {}
    with readable(archives["mirflickr25k.zip"]):
        for member in members(archives["mirflickr25k.zip"]):
            if found := re.search(r"(?:^|/)im(\d+)\.jpg$", member.name):
                pictures[found[1]] = member.name
            elif found := re.search(r"meta/license/\D*(\d+)\.txt$", member.name):
                rights[found[1]] = _rights(member.read().decode("utf-8", "replace"))
    for number in sorted(pictures, key=int):
        yield {
            "archive": "mirflickr25k.zip",
            "file": pictures[number],
            "labels": ";".join(sorted(shown[number])),
            **rights.get(number, {}),
        }


def _rights(text: str) -> Row:
    """Licence, author, title and page from a picture's licence file, read by its words."""
    found: Row = {}
    if licence := re.search(
        r"https?://creativecommons\.org/licenses/[\w./-]+|Attribution[\w -]*Licen[cs]e", text
    ):
        found["license"] = licence[0]
    if page := re.search(r"https?://(?:www\.)?flickr\.com/\S+", text):
        found["url"] = page[0]
    for key, words in (("author", "owner(?: name)?|author|photographer"), ("title", "title")):
        if line := re.search(rf"^[^\n:]*\b(?:{words})\b[^\n:]*:[ \t]*(\S.*)$", text, re.I | re.M):
            found[key] = line[1]
    return found


def stanford_dogs(archives: Archives) -> Iterator[Row]:
    """Images/n02099601-golden_retriever/n02099601_7.jpg; train_list.mat and test_list.mat name
    the pictures of each split by their paths in Images/."""
    split: dict[str, str] = {}
    if "lists.tar" in archives:
        for name, data in texts(archives["lists.tar"], "_list.mat").items():
            which = {"train_list.mat": "train", "test_list.mat": "test"}.get(name)
            if which:
                files = _mat(archives["lists.tar"], data)["file_list"].ravel()
                split |= dict.fromkeys((str(file.item()) for file in files), which)
    for member in members(archives["images.tar"]):
        if found := re.search(r"(n\d{8})-([^/]+)/[^/]+\.jpg$", member.name):
            yield {
                "archive": "images.tar",
                "file": member.name,
                "labels": f"{found[1]}:{found[2].replace('_', ' ')}",
                "split": split.get(found[0], ""),
            }


def places365(archives: Archives) -> Iterator[Row]:
    """data_256/a/airfield/00000001.jpg; val_256/Places365_val_00000001.jpg, whose class stands in
    places365_val.txt by its number in categories_places365.txt."""
    lists = {
        PurePosixPath(name).name: text.decode("utf-8").splitlines()
        for name, text in texts(
            archives["filelist_places365-standard.tar"], "_places365.txt", "places365_val.txt"
        ).items()
    }
    place: dict[str, str] = {}
    for line in lists["categories_places365.txt"]:
        name, number = line.split()
        place[number] = name.split("/", 2)[2].replace("_", " ")
    of_val = dict(line.split() for line in lists["places365_val.txt"])
    for name, split in (
        ("train_256_places365standard.tar", "train"),
        ("val_256.tar", "validation"),
    ):
        for member in members(archives[name]) if name in archives else ():
            path = PurePosixPath(member.name)
            if not member.is_picture:
                continue
            if split == "train":
                label = "/".join(path.parts[2:-1]).replace("_", " ")
            else:
                label = place.get(of_val.get(path.name, ""), "")
            yield {"archive": name, "file": member.name, "labels": label, "split": split}


def imagenet(archives: Archives) -> Iterator[Row]:
    """ILSVRC2012_img_train.tar holds a tar per class, n02099601.tar with n02099601_7.JPEG in it;
    the devkit has the classes' names, and the validation pictures' classes in their order."""
    names: dict[str, str] = {}
    of_val: list[str] = []
    if "ILSVRC2012_devkit_t12.tar.gz" in archives:
        names, of_val = _devkit(archives["ILSVRC2012_devkit_t12.tar.gz"])
    for name, split in (
        ("ILSVRC2012_img_train.tar", "train"),
        ("ILSVRC2012_img_val.tar", "validation"),
    ):
        for member in members(archives[name]) if name in archives else ():
            if found := re.search(r"(n\d{8})_\d+\.JPEG$", member.name):
                wnid = found[1]
            elif found := re.search(r"ILSVRC2012_val_(\d{8})\.JPEG$", member.name):
                number = int(found[1])
                wnid = of_val[number - 1] if number <= len(of_val) else ""
            else:
                continue
            label = f"{wnid}:{names[wnid]}" if wnid in names else wnid
            yield {"archive": name, "file": member.name, "labels": label, "split": split}


def _devkit(path: Path) -> tuple[dict[str, str], list[str]]:
    """Names by WordNet id, and the ids of the validation pictures."""
    found = {
        PurePosixPath(name).name: data
        for name, data in texts(path, "meta.mat", "ILSVRC2012_validation_ground_truth.txt").items()
    }
    synsets = _mat(path, found["meta.mat"])["synsets"].ravel()
    wnid = {int(s["ILSVRC2012_ID"].item()): str(s["WNID"].item()) for s in synsets}
    names = {str(s["WNID"].item()): str(s["words"].item()).partition(",")[0] for s in synsets}
    truth = found["ILSVRC2012_validation_ground_truth.txt"].split()
    return names, [wnid[int(number)] for number in truth]


def coco(archives: Archives) -> Iterator[Row]:
    """train2017/000000000009.jpg; instances_train2017.json has the objects' categories, and the
    licence and the Flickr address of each picture."""
    notes = archives["annotations_trainval2017.zip"]
    for part, split in (("train2017", "train"), ("val2017", "validation")):
        if f"{part}.zip" not in archives:
            continue
        about = _instances(notes, f"annotations/instances_{part}.json")
        for member in members(archives[f"{part}.zip"]):
            if member.is_picture:
                row = about.get(PurePosixPath(member.name).name, {})
                yield {"archive": f"{part}.zip", "file": member.name, "split": split, **row}


def _instances(path: Path, name: str) -> dict[str, Row]:
    """What a file of COCO annotations says of each picture, by its name."""

    def lean(found: dict[str, Any]) -> Any:
        """Outlines, most of the file, are let go as it is read."""
        if "segmentation" in found:
            return found["image_id"], found["category_id"]
        return found

    for member in members(path):
        if member.name == name:
            with readable(path):
                read = json.loads(member.read(), object_hook=lean)
            break
    else:
        raise InputError(f"{path}: has no {name}")
    names = {c["id"]: c["name"] for c in read["categories"]}
    licences = {c["id"]: c["url"] for c in read["licenses"]}
    seen: dict[int, set[str]] = defaultdict(set)
    for picture, category in read["annotations"]:
        seen[picture].add(names[category])
    return {
        picture["file_name"]: {
            "labels": ";".join(sorted(seen[picture["id"]])),
            "license": licences.get(picture.get("license"), ""),
            "url": picture.get("flickr_url") or picture.get("coco_url") or "",
        }
        for picture in read["images"]
    }


def flickr30k(archives: Archives) -> Iterator[Row]:
    """NUMBER.jpg anywhere: in flickr30k-images.tar.gz, or in Kaggle's ZIP. The first caption is
    from results_20130124.token (tabs) or results.csv (bars), in whichever archive."""
    captions: dict[str, str] = {}
    for path in archives.values():
        for name, data in texts(path, "results_20130124.token", "results.csv").items():
            lines = data.decode("utf-8", "replace").splitlines()
            if name.endswith(".csv"):
                read = [(r[0], r[-1]) for r in csv.reader(lines, delimiter="|") if r]
            else:
                read = [(n.partition("#")[0], c) for n, _, c in (x.partition("\t") for x in lines)]
            for file, caption in read:
                captions.setdefault(file.strip(), caption.strip())  # the first of its five
    for name, file in _once(archives, r"(?:^|/)(\d+)\.jpg$"):
        caption = captions.get(PurePosixPath(file).name, "")
        yield {"archive": name, "file": file, "labels": caption.replace(";", ",")}


def art_images(archives: Archives) -> Iterator[Row]:
    """.../training_set/painting/1179.jpg and .../validation_set/...; the ZIP holds them twice, in
    dataset/ and musemart/, and they are listed once."""
    rule = r"(training|validation)_set/([^/]+)/([^/]+)$"
    for name, file in _once(archives, rule):
        found = re.search(rule, file)
        assert found is not None
        split = "train" if found[1] == "training" else "validation"
        yield {"archive": name, "file": file, "labels": found[2].replace("_", " "), "split": split}


def anime_scenes(archives: Archives) -> Iterator[Row]:
    """Any picture in the ZIP."""
    for name, file in _once(archives, r".*"):
        yield {"archive": name, "file": file, "labels": "anime scene"}


def _once(archives: Archives, rule: str) -> Iterator[tuple[str, str]]:
    """Archive and path of the pictures whose path has the rule; the groups it finds only once."""
    seen: set[tuple[str | None, ...]] = set()
    for name, path in archives.items():
        for member in members(path):
            found = re.search(rule, member.name) if member.is_picture else None
            key = (found.groups() or (found[0],)) if found else None
            if key and key not in seen:
                seen.add(key)
                yield name, member.name


def _mat(path: Path, data: bytes) -> dict[str, Any]:
    """A MATLAB file's variables."""
    try:
        scipy_io: Any = import_module("scipy.io")
    except ImportError:
        raise InputError(f"{path}: holds MATLAB files: pip install 'retint[data]'") from None
    return scipy_io.loadmat(io.BytesIO(data))
