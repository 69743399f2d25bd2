"""The report as a page: what it says of a judgement, what it may hold, and how large it gets."""

import html
import json
import math
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from conftest import scene
from retint.bench import report, statistics
from retint.bench.circumstances import circumstances
from retint.bench.contestants import Contestant
from retint.bench.evaluate import evaluate
from retint.bench.page import tables, write_page
from retint.bench.page.gallery import choose
from retint.bench.page.judgement import Judgement
from retint.bench.page.measures import COLUMNS, MEASURES
from retint.bench.sets import PictureSet
from retint.colorizer import Colorizer, Options
from retint.errors import InputError, OutputError
from retint.predict import load

HOSTILE = "</script><img src=x onerror=alert(1)>"
MISSING = "scene & <3>.png"


def write(path: Path, rgb: np.ndarray) -> None:
    codes = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    pyvips.Image.new_from_array(codes).copy(interpretation="srgb").write_to_file(str(path))


def judged(folder: Path, model: Path) -> tuple[dict[str, Any], list[Contestant], PictureSet]:
    """Eight drawn pictures, judged: a model, the same under a hostile name and paler, a folder."""
    (folder / "set").mkdir()
    (folder / "theirs").mkdir()
    for k in range(8):
        name = MISSING if k == 3 else f"scene {k}.png"
        rgb = scene(*((48, 64) if k % 2 else (72, 48)), seed=k)
        rgb[..., 0] *= 0.5 + k / 16
        write(folder / "set" / name, rgb)
        if name != MISSING:
            write(folder / "theirs" / name, 0.5 * rgb + 0.5 * rgb.mean(-1, keepdims=True))
    network = load(str(model))
    models = {"mine": Colorizer(network), HOSTILE: Colorizer(network, Options(saturation=0.3))}
    pictures = PictureSet.of_folder(folder / "set")
    found = evaluate(models, pictures, folders={"theirs": folder / "theirs"})
    plain = circumstances() | report.summary(found)
    plain["libvips"] = {"ms": 2.0, "megapixels_per_second": 30.0, "what": "a picture"}
    plain["rows"][-1]["cost"] = {"ms": 30.0, "device": "cpu", "parameters": 12345}
    plain["film"] = {"mine": {"figures": {"colourfulness": 21.5, "odd": 1.5}}}
    return json.loads(json.dumps(plain)), found.contestants, pictures


@pytest.fixture(scope="module")
def judgement(tmp_path_factory: pytest.TempPathFactory, fake_onnx: Path):
    return judged(tmp_path_factory.mktemp("judged"), fake_onnx)


@pytest.fixture(scope="module")
def page(judgement: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    found, contestants, pictures = judgement
    path = tmp_path_factory.mktemp("page") / "report.html"
    return write_page(found, contestants, pictures.open, path).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    body = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def island(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def test_the_page_says_what_the_json_says(page: str, judgement: Any):
    found = judgement[0]
    text = text_of(page)
    assert "3 ways of colouring, judged on 8 pictures" in text
    assert found["set"]["sha256"][:12] in text
    assert found["date"][:10] in text
    assert found["processor"] in text
    assert "theirs: no usable colouring of 1 picture" in text
    for row in found["rows"]:
        value = row["figures"]["delta_e"]
        assert row["name"] in text
        assert f"{value['value']:.2f} {value['low']:.2f} … {value['high']:.2f}" in text
        if others := row.get("no_better_than"):
            assert (
                f"no better than {'the ' if others[0] == 'mean colour' else ''}{others[0]}" in text
            )
    assert "12,345" in text
    assert "15.0" in text  # times libvips
    assert "21.5" in text  # on film
    assert "odd" in text  # a figure that nobody has described


def test_hostile_names_stay_text(page: str):
    assert "<img src=x" not in page
    assert "<3>" not in page
    assert page.count("</script>") == page.count("<script")
    assert [row["name"] for row in island(page, "numbers")["rows"]].count(HOSTILE) == 1


def test_everything_is_inside_and_nothing_else_is_allowed(page: str):
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "url(http" not in page
    ids = re.findall(r'<[^>]+ id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert policy[1].count("sha256-") == page.count("<script>")
    tags = re.findall(r"<[a-z][^>]*>", re.sub(r"<script.*?</script>", "", page, flags=re.S))
    assert not any(re.search(r"\son\w+=", re.sub(r'"[^"]*"', '""', tag)) for tag in tags)


def test_pictures_are_those_of_the_contestants(page: str, judgement: Any):
    found, contestants, pictures = judgement
    album, rows = island(page, "album"), island(page, "numbers")["rows"]
    assert set(album) == set(map(str, range(8)))
    number = found["set"]["files"].index(MISSING)
    names = {rows[int(key)]["name"] for key in album[str(number)]["colours"] if key.isdigit()}
    assert names == {"mine", HOSTILE}
    assert f"has no colouring of {MISSING}" in text_of(page)

    shown = album["0"]
    mine = str([row["name"] for row in rows].index("mine"))
    truth = pictures.open(found["set"]["files"][0])
    wanted = next(one for one in contestants if one.name == "mine").colour(truth)
    for key, rgb in (("true", truth.rgb), (mine, wanted.rgb)):
        coded = shown["colours"][key].partition(",")[2]
        decoded = pyvips.Image.new_from_buffer(b64decode(coded), "").numpy()
        assert decoded.shape == rgb.shape
        assert np.abs(decoded / 255 - rgb).mean() < 0.04 < np.abs(wanted.rgb - truth.rgb).mean()
    assert mine in shown["confidence"]
    low, high = island(page, "numbers")["confidence"][mine]
    assert 0 <= low < high <= 1


def test_differences_are_those_of_the_statistics(page: str, judgement: Any):
    numbers = island(page, "numbers")
    by_name = {row["name"]: row for row in judgement[0]["rows"]}
    names = [numbers["rows"][k]["name"] for k in numbers["charted"]]
    i, j = names.index("theirs"), names.index("grey")
    values = [
        np.array([math.nan if v is None else v for v in by_name[n]["per_picture"]["delta_e"]])
        for n in ("theirs", "grey")
    ]
    less = statistics.difference(*values)
    assert numbers["differences"]["delta_e"][i][j] == pytest.approx(
        [less.value, less.low, less.high], rel=1e-3
    )
    assert numbers["differences"]["delta_e"][j][i][0] == pytest.approx(-less.value, rel=1e-3)


def test_differences_at_once_are_those_one_by_one():
    rng = np.random.default_rng(3)
    columns = list(rng.normal(10, 2, (4, 40)))
    columns[2][::3] = np.nan
    found = statistics.differences(columns)
    for i, one in enumerate(columns):
        for j, other in enumerate(columns):
            wanted = statistics.difference(one, other)
            assert found[i][j].pictures == wanted.pictures
            assert (found[i][j].value, found[i][j].low, found[i][j].high) == pytest.approx(
                (wanted.value, wanted.low, wanted.high), abs=1e-9
            )
    assert statistics.differences([]) == []


def test_the_limit_holds_and_what_matters_most_stays(judgement: Any, tmp_path: Path):
    found, contestants, pictures = judgement

    def album(megabytes: float) -> dict[str, Any]:
        path = write_page(
            found, contestants, pictures.open, tmp_path / "small.html", megabytes=megabytes
        )
        return island(path.read_text(encoding="utf-8"), "album")

    def size(album: dict[str, Any]) -> int:
        kinds = ("colours", "confidence")
        return sum(len(uri) for one in album.values() for k in kinds for uri in one[k].values())

    assert album(0) == {}
    limit = size(album(12)) // 2
    some = album(limit / 1e6)
    assert 0 < size(some) <= limit
    assert 0 < len(some) < 8
    assert "0" in some  # the first of the even spread


def test_the_first_schema_and_next_to_nothing_make_a_page(judgement: Any, tmp_path: Path):
    found, contestants, pictures = judgement
    old = {key: found[key] for key in ("set", "rows", "verdicts")}
    old["rows"] = [
        {key: row[key] for key in ("name", "kind", "model", "figures", "per_picture")}
        for row in found["rows"]
    ]
    text = text_of(
        write_page(old, contestants, pictures.open, tmp_path / "a.html").read_text("utf-8")
    )
    for row in found["rows"]:
        for other in set(row.get("no_better_than", [])) & {"grey"}:
            assert f"no better than {other}" in text
    for i, bare in enumerate(({}, {"rows": [{"name": "x"}]}, {"set": {"files": ["a"]}})):
        path = write_page(bare, [], pictures.open, tmp_path / f"{i}.html")
        assert "retint bench" in path.read_text(encoding="utf-8")


def test_a_picture_that_went_away_is_left_out(judgement: Any, tmp_path: Path):
    found, contestants, pictures = judgement

    def open_all_but_the_first(file: str):
        if file == found["set"]["files"][0]:
            raise InputError(f"{file}: gone")
        return pictures.open(file)

    path = write_page(found, contestants, open_all_but_the_first, tmp_path / "a.html")
    assert set(island(path.read_text(encoding="utf-8"), "album")) == set(map(str, range(1, 8)))


def test_a_page_that_cannot_be_written_is_one_clear_error(tmp_path: Path):
    with pytest.raises(OutputError, match=re.escape(str(tmp_path))):
        write_page({}, [], lambda file: pytest.fail(file), tmp_path)


def row(name: str, *errors: float | None, kind: str = "model") -> dict[str, Any]:
    there = [error for error in errors if error is not None]
    value = {"value": float(np.mean(there)), "low": min(there), "high": max(there)}
    return {
        "name": name,
        "kind": kind,
        "figures": {"delta_e": value},
        "per_picture": {"delta_e": list(errors)},
    }


def groups(*ties: str) -> list[str]:
    """Groups of rows a, b, c, d, given the pairs that cannot be told apart."""
    rows = [row(name, k, k) for k, name in enumerate("abcd")]
    found = {"set": {"files": ["x", "y"]}, "rows": rows, "ties": [list(pair) for pair in ties]}
    return ["".join(one.name for one in group) for group in Judgement.of(found).groups]


def test_letters_say_exactly_who_is_tied():
    assert groups() == ["a", "b", "c", "d"]
    assert groups("ab", "bc", "ac", "cd") == ["abc", "cd"]
    assert groups("ab", "bc", "cd", "da") == ["ab", "ad", "bc", "cd"]
    assert groups("ab", "ac", "ad", "bc", "bd", "cd") == ["abcd"]
    assert groups("ad", "bc") == ["ad", "bc"]


def test_where_many_groups_overlap_names_stand_for_letters():
    rows = [row(f"n{k:02}", k, k) for k in range(20)]
    ties = [[f"n{k:02}", f"n{k + 1:02}"] for k in range(19)]
    table = tables.ranking(Judgement.of({"rows": rows, "ties": ties}))
    assert table.count("2 others") == 18
    assert table.count("1 other<") == 2
    assert "<summary>2 others</summary>n00<br>n02" in table


def test_the_gallery_shows_extremes_and_the_most_disputed():
    rows = [
        row("a", 1, 2, 3, 4, None, 6),
        row("b", 7, 2, 2, 5, 1, 6),
        row("g", *[5] * 6, kind="grey"),
    ]
    gallery = choose(Judgement.of({"set": {"files": list("uvwxyz")}, "rows": rows}), 3, 2)
    assert list(gallery.contact) == [0, 2, 4]
    assert gallery.best == {"a": [0, 1], "b": [4, 1]}
    assert gallery.worst == {"a": [5, 3], "b": [0, 5]}
    (dispute,) = gallery.disputes
    assert (dispute.row.name, dispute.row_nearer, dispute.other_nearer) == ("a", 0, 2)
    assert sorted(gallery.wanted) == [0, 1, 2, 3, 4, 5]
    kept = gallery.of({0, 5})
    assert (list(kept.contact), kept.worst) == ([0], {"a": [5], "b": [0, 5]})
    assert [(d.row_nearer, d.other_nearer) for d in kept.disputes] == [(0, None)]


def test_every_column_of_the_ranking_is_described():
    assert set(COLUMNS) <= set(MEASURES)
    assert MEASURES["bias_a"].text(-1.25) == "−1.2"
    assert MEASURES["colourfulness_ratio"].distance(1.2) == pytest.approx(0.2)
    assert MEASURES["psnr"].distance(30) < MEASURES["psnr"].distance(20)
