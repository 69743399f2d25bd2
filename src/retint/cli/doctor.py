"""`retint doctor`: what is there to work with."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(as_json: bool) -> None:
    """Say which formats, devices, threads and models are there, in plain words.

    Exit code 1 if something is missing that colouring needs.
    """
    found = examine()
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in words(found):
            click.echo(line)
    if found["problems"]:
        click.get_current_context().exit(1)


def examine() -> dict[str, Any]:
    """Everything `retint doctor` says, as plain values."""
    from retint import hub, predict

    formats = _formats()
    models = {name: {**_about(hub.card(name)), "weights": hub.where(name)} for name in hub.cards()}
    devices = {device: _start(device, models) for device in predict.devices()}
    problems = [
        f"{name} cannot be read: this libvips was built without it"
        for name, about in formats.items()
        if not about["read"] and about["written"] is not None
    ]
    if models.get("default", {}).get("weights") in (None, "missing"):
        problems.append("there is no default model: colorize needs --model FILE.onnx")
    return {
        "versions": _versions(),
        "formats": formats,
        "devices": devices,
        "threads": {"usable": predict.available_threads(), "in the machine": os.cpu_count()},
        "models": models,
        "problems": problems,
    }


def words(found: dict[str, Any]) -> list[str]:
    """What `examine` found, in lines for a person."""
    versions = found["versions"]
    lines = [
        "retint {retint} on Python {python}, {system}".format(**versions),
        "libvips {libvips}, ONNX Runtime {onnxruntime}, numpy {numpy}".format(**versions),
        "",
        "Formats",
    ]
    for name, about in found["formats"].items():
        lines.append(f"  {name:6} {_ability(about)}")
    lines += ["", "Devices (--device; auto takes the first that works)"]
    lines += [f"  {device:6} {state}" for device, state in found["devices"].items()]
    usable, there = found["threads"].values()
    limited = f" of {there} in the machine (affinity, or the container's limit)"
    lines += [
        "",
        f"Threads: {usable} usable{'' if usable == there else limited}",
        "",
        "Models",
    ]
    for name, about in found["models"].items():
        lines.append(
            f"  {name} {about['version']}: {about['parameters'] / 1e6:.1f} million parameters,"
            f" weights {about['weights']}, terms of the weights: {about['weights_license']}"
        )
    lines += ["", *(f"Problem: {problem}" for problem in found["problems"])]
    return lines if found["problems"] else [*lines, "Nothing is missing."]


def _versions() -> dict[str, str]:
    import pyvips

    def of(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "not installed"

    vips: Any = pyvips
    runtime = next((n for n in ("onnxruntime", "onnxruntime-gpu") if of(n) != "not installed"), "")
    return {
        "retint": of("retint"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "libvips": ".".join(str(vips.version(part)) for part in range(3)),
        "pyvips": of("pyvips"),
        "onnxruntime": of(runtime) if runtime else "not installed",
        "numpy": of("numpy"),
        "pillow": of("pillow"),
    }


def _formats() -> dict[str, dict[str, Any]]:
    """Which formats are read; `written` is None for those that are not this libvips' to read."""
    import pyvips

    from retint.formats.codecs import FORMATS, pillow_reads

    vips: Any = pyvips
    pillow = pillow_reads()
    loaders = {"avif": "heifload_source", "pnm": "tiffload_source"}
    found: dict[str, dict[str, Any]] = {}
    for name, format in FORMATS.items():
        by_pillow = name in ("bmp", "jp2")
        loader = loaders.get(name, f"{name}load_source")
        found[name] = {
            "read": name in pillow if by_pillow else vips.type_find("VipsOperation", loader) != 0,
            "written": None if by_pillow else list(format.depths) or [],
            "becomes": format.result,
            "endings": list(format.suffixes),
        }
    return found


def _ability(about: dict[str, Any]) -> str:
    endings = " ".join(about["endings"])
    if not about["read"]:
        pillow = about["written"] is None
        return f"not read{' (pip install pillow)' if pillow else ''}: {endings}"
    if not about["written"]:
        return f"read, results become {about['becomes']}: {endings}"
    depths = ", ".join(map(str, about["written"]))
    return f"read and written with {depths} bits: {endings}"


def _about(card: Any) -> dict[str, Any]:
    return {
        "version": card.version,
        "family": card.family,
        "parameters": card.parameters,
        "weights_license": card.weights_license,
    }


def _start(device: str, models: dict[str, Any]) -> str:
    """Whether the default model starts on a device: the only honest test."""
    from retint import predict
    from retint.errors import RetintError

    if models.get("default", {}).get("weights") not in ("shipped", "cached"):
        return "offered by ONNX Runtime; not tried, for want of a model"
    try:
        predict.load("default", device=device)
    except RetintError as error:
        return f"does not work: {error}"
    return "works"
