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


def test_light_rooms_never_load_torch():
    light = [name for name in rooms() if name not in torch_rooms()]
    loaded = loaded_after(imports(light))
    assert "pyvips" in loaded
    assert not loaded & {"torch", "onnx", "ray", "fastapi"}


def test_torch_rooms_load_on_a_machine_without_libvips():
    names = torch_rooms()
    assert names
    blocked = "import sys; sys.modules['pyvips'] = None\n"
    assert "torch" in loaded_after(blocked + imports(names))
