"""The audit log: who did what to what, a line of JSON for each."""

import json
from datetime import UTC, datetime
from pathlib import Path

from retint.lines import Lines

NAME = "audit.jsonl"
PATIENCE = 10.0  # seconds: others write a line in milliseconds


def record(folder: Path, did: str, to: str, **about: str | int) -> None:
    """Bring a line to the disk; several servers and commands may share the log.

    It is opened anew for each line, so that it may be moved away at any time. Raises OutputError.
    """
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": time, "did": did, "to": to, **about})
    path = folder / NAME
    with Lines(path, f"{path}: another process does not let go of it", PATIENCE) as lines:
        lines.append(f"{line}\n")
