"""Where and when figures came to be: what every report of figures carries."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from retint.predict import available_threads


def circumstances() -> dict[str, Any]:
    """Commit, versions, hardware and date, as plain values for JSON."""
    packages = ("retint", "numpy", "onnxruntime", "pyvips")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(Path(__file__).resolve().parents[3]),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "processor": _processor(),
        "system": platform.platform(),
        "threads": available_threads(),
    }


def _commit(checkout: Path) -> str | None:
    """Commit of the checkout that this runs from, "+" for changes; None for an installation."""
    if not (checkout / "pyproject.toml").is_file():
        return None
    git = ["git", "-c", f"safe.directory={checkout}", "-C", str(checkout)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], check=False).returncode
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed else "")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
