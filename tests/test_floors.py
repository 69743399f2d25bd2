"""Light stays light: what an import may bring with it, checked in new interpreters."""

import pkgutil
import subprocess
import sys

import retint

HEAVY = {"torch", "onnx", "onnxruntime", "pyvips", "numpy", "PIL", "skimage", "click", "rich"}
TORCH_ROOMS = ("retint.train", "retint.models", "retint.layers", "retint.export")


def rooms() -> list[str]:
    """Every module of the package, found without importing it where its floor is torch's."""
    names = [module.name for module in pkgutil.walk_packages(retint.__path__, "retint.")]
    assert {"retint.errors", "retint.color"} <= set(names)
    return [name for name in names if not name.endswith("__main__")]


def torch_rooms() -> list[str]:
    return [name for name in rooms() if name.startswith(TORCH_ROOMS)]


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a new interpreter holds after running `code`."""
    code += "\nimport sys; print('loaded:', *{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.rpartition("loaded:")[2].split())


def imports(names: list[str]) -> str:
    return "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names)


def test_importing_retint_loads_nothing_heavy():
    assert not loaded_after("import retint") & HEAVY


def test_help_loads_neither_runtime_nor_libvips():
    code = "from retint.cli import main; main(['--help'], standalone_mode=False)"
    assert not loaded_after(code) & {"torch", "onnxruntime", "pyvips", "numpy"}


def service_rooms() -> list[str]:
    """Every module that needs the extra `serve`; the commands import theirs when they run."""
    served = ("retint.serve", "retint.cli.serve._server", "retint.cli.serve.key._database")
    return [name for name in rooms() if name.startswith(served)]


def test_light_rooms_never_load_torch():
    light = [name for name in rooms() if name not in torch_rooms() + service_rooms()]
    loaded = loaded_after(imports(light))
    assert "pyvips" in loaded
    assert not loaded & {"torch", "onnx", "ray", "fastapi", "sqlalchemy"}


def test_the_service_never_loads_torch():
    names = service_rooms()
    assert names
    loaded = loaded_after(imports(names))
    assert {"fastapi", "sqlalchemy"} <= loaded
    assert not loaded & {"torch", "onnx", "ray"}


def test_the_service_says_what_it_needs():
    blocked = "import sys; sys.modules['fastapi'] = None\n"
    said = (
        "from click.testing import CliRunner\nfrom retint.cli import main\n"
        "for words in (['serve'], ['serve', 'key', 'list']):\n"
        "    result = CliRunner().invoke(main, words)\n"
        "    assert result.exit_code == 2\n"
        '    assert result.stderr == "retint: the service needs fastapi: pip install'
        " 'retint[serve]'\\n\"\n"
    )
    assert "click" in loaded_after(blocked + said)


def test_torch_rooms_load_on_a_machine_without_libvips():
    names = torch_rooms()
    assert names
    blocked = "import sys; sys.modules['pyvips'] = None\n"
    assert "torch" in loaded_after(blocked + imports(names))
