"""The documentation is true: commands exist, examples run, every public name has its place."""

import importlib.metadata
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import retint
from retint.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CLI = ROOT / "docs" / "cli.md"
SECTION = re.MULTILINE | re.DOTALL
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return [code for name, code in FENCE.findall(text) if name == language]


def headings() -> str:
    lines = (line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line.startswith("#"))


def commands(group: click.Group = main, before: str = "") -> dict[str, click.Command]:
    """Every command by what is typed for it; those of a group as `data split`."""
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found[before + name] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{before}{name} ")
    return found


def options_of(command: click.Command) -> set[str]:
    """The long names of a command's options."""
    opts = [opt for parameter in command.params for opt in parameter.opts]
    return {opt for opt in opts if opt.startswith("--")}


def help_of(name: str) -> str:
    result = CliRunner().invoke(
        main, [*name.split(), "--help"], terminal_width=100, prog_name="retint"
    )
    assert result.exit_code == 0
    return result.output


def renew_help() -> None:
    """Write what every command says of itself into docs/cli.md."""

    def block(found: re.Match[str]) -> str:
        return f"```text\n{help_of(found[1])}```"

    old = CLI.read_text(encoding="utf-8")
    new = re.sub(r"```text\nUsage: retint ([a-z -]+?) \[.*?```", block, old, flags=re.DOTALL)
    CLI.write_text(new, encoding="utf-8")


def test_the_command_line_has_its_commands():
    assert {"colorize", "demo", "doctor"} <= commands().keys()


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help_and_a_section(name: str):
    command = commands()[name]
    assert command.help, f"retint {name} --help says nothing"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"retint {name} {parameter.opts[0]} has no help"
    section = re.search(rf"^## retint {name}$(.*?)(?=^## |\Z)", CLI.read_text(), SECTION)
    assert section is not None, f"docs/cli.md has no section `retint {name}`"
    box = "\n".join(FENCE.findall(section[0])[-1])  # click's versions differ in line breaks
    told = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", box, re.MULTILINE))
    assert told == options_of(command) | {"--help"}, "docs/cli.md is old: python tests/test_docs.py"


@pytest.mark.parametrize("name", sorted(set(retint.__all__) - {"__version__"}))
def test_every_public_name_is_documented(name: str):
    assert getattr(retint, name).__doc__
    assert re.search(rf"^#+ .*\b{name}\b", headings(), re.MULTILINE), (
        f"docs/ has no heading for retint.{name}"
    )


def command_lines() -> list[tuple[str, str]]:
    """Every line of a shell block that calls retint, with its page's name."""
    return [
        (page.name, line)
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("retint ")
    ]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_commands_in_the_docs_exist_with_their_options(page: str, line: str):
    words = shlex.split(re.split(r"\s[|<>]\s", line)[0], comments=True)[1:]
    known_commands = commands()
    typed = (" ".join(words[:count]) for count in (3, 2, 1))
    command = next((known_commands[name] for name in typed if name in known_commands), None)
    if command is None:
        assert words[0] in {"--help", "--version"}, f"{page}: {line}"
        return
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    given = {word.partition("=")[0] for word in words[1:] if re.match(r"-{1,2}[a-zA-Z]", word)}
    assert given <= known, f"{page}: {line}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_examples_run(
    page: Path,
    photographs: dict[str, Path],
    fake_onnx: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """The blocks of a page run one after the other, as a reader would, beside some photographs."""
    for source in photographs.values():
        shutil.copy(source, tmp_path)
    (tmp_path / "attic").mkdir()
    for name in ("1912.tif", "attic/1912.tif"):
        shutil.copy(photographs["grey16.tif"], tmp_path / name)
    shutil.copy(fake_onnx, tmp_path / "mine.onnx")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for number, code in enumerate(blocks(page, "python"), 1):
        exec(compile(code, f"{page.name}, example {number}", "exec"), names)


def test_the_map_of_the_code_shows_every_room():
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "src" / "retint").iterdir():
        room = f"{path.name}/" if path.is_dir() else path.name
        built = path.suffix in (".so", ".pyd", ".pyi")  # of the room that is written in C
        if not built and room not in ("__init__.py", "__pycache__/", "py.typed"):
            assert f"`{room}`" in plan


def test_recipes_parse():
    recipes = sorted((ROOT / "recipes").glob("*.toml"))
    assert recipes
    recipe = pytest.importorskip("retint.train.recipe", exc_type=ImportError)
    for path in recipes:
        assert tomllib.loads(path.read_text(encoding="utf-8"))
        recipe.load(path)


def test_versions_agree():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == retint.__version__ == importlib.metadata.version("retint")


def test_readme_has_the_two_lines_that_ci_runs():
    lines = [line for block in blocks(ROOT / "README.md", "sh") for line in block.splitlines()]
    ours = [line for line in lines if line.startswith("python3 -m venv ")]
    assert len(ours) == 2
    assert ours[0].endswith("retint demo")
    assert ours[1].endswith(" && .venv-test/bin/pytest -n 3 --dist loadfile")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


if __name__ == "__main__":
    renew_help()
