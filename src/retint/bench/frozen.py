"""Frozen sets: a benchmark is a manifest with the hash of every picture, and a change an error."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from retint.bench.sets import PictureSet, pictures
from retint.bench.work import Progress
from retint.data.manifest import replace_file
from retint.errors import InputError, OptionsError

Named: TypeAlias = dict[str, Any]

VERSION = 1
"""Of the form of manifests: the value of their key `retint_set`."""

NAMED = 5
"""Most files of a kind that an error names."""


def freeze(
    pictures: PictureSet, progress: Progress = lambda what, done, of: None
) -> dict[str, Any]:
    """The manifest of a set: name, and path, sha256, width and height of every picture.

    Pictures that cannot be read are named in its `left_out`. Raises InputError where none can be.
    """
    found: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for done, file in enumerate(pictures.files, 1):
        try:
            height, width = pictures.open(file).lab.shape[:2]
            sha256 = pictures.sha256(file)
            found.append({"file": file, "sha256": sha256, "width": width, "height": height})
        except InputError as error:
            left_out[file] = str(error)
        progress("freezing", done, len(pictures.files))
    if not found:
        raise InputError(f"{pictures.root}: none of its {len(left_out)} pictures can be read")
    hashes = {picture["file"]: picture["sha256"] for picture in found}
    kept = PictureSet(pictures.name, pictures.root, list(hashes), hashes)
    return {
        "retint_set": VERSION,
        "name": pictures.name,
        "about": "",
        "whole": True,
        "total": len(found),
        "sha256": kept.digest,
        "left_out": left_out,
        "pictures": found,
    }


def write(manifest: Mapping[str, Any], path: Path) -> None:
    """Write a manifest, a line for each picture, whole or not at all. Raises OutputError."""
    head = json.dumps({**manifest, "pictures": []}, indent=1, ensure_ascii=False)
    lines = ",\n".join(
        "  " + json.dumps(picture, ensure_ascii=False) for picture in manifest["pictures"]
    )
    text = head.removesuffix("[]\n}") + f"[\n{lines}\n ]\n}}\n"
    replace_file(path, text.encode())


def open_set(path: Path, folder: Path | None = None, limit: int | None = None) -> PictureSet:
    """The set that a manifest (.json) or a folder is; see `read` and `PictureSet.of_folder`."""
    if path.suffix.lower() == ".json" and not path.is_dir():
        return read(path, folder, limit)
    return PictureSet.of_folder(path, limit)


def read(path: Path, folder: Path | None = None, limit: int | None = None) -> PictureSet:
    """The set that a manifest names, every file of it found to be as it was.

    folder: where the pictures are; without it the folder of the manifest's name beside it, else
    the one that the manifest is in. limit: take so many, evenly spread. Raises InputError, naming
    files, where one has changed, is missing, or, of a set that is a whole folder, was added.
    """
    manifest = _parsed(path)
    if folder is None:
        folder = path.with_suffix("") if path.with_suffix("").is_dir() else path.parent
    hashes: dict[str, str] = {}
    for picture in manifest["pictures"]:
        hashes[picture["file"]] = picture["sha256"]
    _check(path, folder, hashes, set(manifest["left_out"]), whole=manifest["whole"])
    found = PictureSet(manifest["name"], folder, list(hashes), hashes, frozen=True)
    return found.limited(limit)


def freeze_corpus(
    folder: Path,
    progress: Progress,
    *,
    share: float | None,
    sources: Sequence[str] = (),
    count: int,
    shorter: int,
) -> dict[str, Any]:
    """The manifest of pictures out of a corpus, in turn from each of its data sets.

    share: only such as trainings with this `validation.share` leave out. sources: only of data sets
    with one of these parts of a name; a training leaves them out by `data.sources`, and then they
    may show kinds that it never sees. count: of pictures, drawn by hash of their names, with a
    shorter side of at least `shorter` pixels; those without colour are passed over. Raises
    InputError where there are not so many, or no such data set.
    """
    try:
        from retint.data.corpus import Corpus, lot, used
        from retint.data.select import select
    except ImportError:
        raise OptionsError("a corpus is read by Pillow: pip install 'retint[data]'") from None
    whole = Corpus(folder)
    entries = used(whole.entries) if share is None else whole.split(share)[1]
    drawn: dict[str, list[str]] = {}
    for entry in sorted(select(entries, sources=sources, min_side=shorter), key=lot):
        drawn.setdefault(entry.dataset, []).append(entry.name)
    chosen: list[str] = []
    name = "corpus" if share is None else "validation"
    corpus = PictureSet(name, folder, [])
    queues = [iter(drawn[dataset]) for dataset in sorted(drawn)]
    while queues and len(chosen) < count:
        for queue in list(queues):
            file = next((f for f in queue if corpus.open(f).photo.colour() == "colour"), None)
            if file is None:
                queues.remove(queue)
            elif len(chosen) < count:
                chosen.append(file)
    if len(chosen) < count:
        more = "" if share is None else ": a larger share has more"
        raise InputError(f"{folder}: only {len(chosen)} such pictures{more}")
    said = [
        f"of {', '.join(sources)}" if sources else "",
        "" if share is None else f"left out of trainings by validation.share >= {share:g}",
        f"shorter side >= {shorter} px",
    ]
    about = "; ".join(text for text in said if text) + "."
    manifest = freeze(PictureSet(name, folder, sorted(chosen)), progress)
    return {**manifest, "about": about[0].upper() + about[1:], "whole": False}


def _parsed(path: Path) -> dict[str, Any]:
    """The manifest with all its keys. InputError where it is none."""
    try:
        manifest: Any = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({error})") from None
    if not isinstance(manifest, dict) or cast(Named, manifest).get("retint_set") != VERSION:
        raise InputError(f"{path}: is no manifest of `retint bench freeze` that is understood here")
    values: Named = {"name": path.stem, "whole": False, "left_out": {}, **cast(Named, manifest)}
    pictures = values.get("pictures")
    if not isinstance(pictures, list) or not pictures:
        raise InputError(f"{path}: names no pictures")
    for picture in cast(list[Any], pictures):
        if not isinstance(picture, dict) or not {"file", "sha256"} <= cast(Named, picture).keys():
            raise InputError(f"{path}: names no file with its sha256 in {picture}")
    return values


def _check(
    path: Path, folder: Path, hashes: Mapping[str, str], known: set[str], *, whole: bool
) -> None:
    there = PictureSet(path.stem, folder, list(hashes))
    changed: list[str] = []
    missing: list[str] = []
    for file, sha256 in hashes.items():
        try:
            if there.sha256(file) != sha256:
                changed.append(file)
        except InputError:
            missing.append(file)
    extra: list[str] = []
    if whole and len(missing) < len(hashes):
        found = (p.relative_to(folder).as_posix() for p in pictures(folder))
        extra = [file for file in found if file not in hashes and file not in known]
    parts = {"changed": changed, "missing": missing, "extra": extra}
    said = [f"{len(files)} {what}: {_some(files)}" for what, files in parts.items() if files]
    if said:
        raise InputError(f"{path}: the pictures in {folder} are not that set: {'; '.join(said)}")


def _some(files: Sequence[str]) -> str:
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return ", ".join(files[:NAMED]) + more
