"""A service's client: what the library does, done elsewhere. Nothing but the standard library."""

import io
import json
import os
import shutil
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from retint.errors import InputError, RetintError
from retint.formats.codecs import printable
from retint.journal import Receipt

Source = str | os.PathLike[str]
Form = list[tuple[str, bytes | Path]]


class Client:
    """Talks to a service of `retint serve`, with an API key where it asks for one.

    timeout: seconds without a byte. Options are the fields of Options, and `hints`, a list of Hint.
    Raises RetintError, with what the service says, where it refuses; InputError where that is about
    photographs or options.
    """

    def __init__(self, url: str = "http://127.0.0.1:8791", key: str = "", timeout: float = 120):
        self.url, self.timeout = urlsplit(url), timeout
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def colorize(self, source: Source, target: Source, **options: Any) -> Receipt:
        """Colour a photograph and write the result."""
        with self._ask("POST", "/v1/colorize", _form([("image", Path(source))], options)) as answer:
            _write(answer, Path(target))
            return Receipt.from_json(answer.headers["Retint-Receipt"])

    def submit(
        self, sources: Sequence[Source] = (), *, path: str = "", token: str = "", **options: Any
    ) -> str:
        """Hand in files, or a path below the service's root, once for a `token`: the job's id."""
        form = _form([("images", Path(source)) for source in sources], options)
        form += [("path", path.encode())] if path else []
        with self._ask("POST", "/v1/jobs", form, {"Idempotency-Key": token}) as answer:
            return str(json.load(answer)["id"])

    def job(self, id: str) -> dict[str, Any]:
        """Tell how a job is getting on."""
        with self._ask("GET", f"/v1/jobs/{id}") as answer:
            return json.load(answer)

    def receipts(self, id: str) -> Iterator[Receipt]:
        """Receipts of a job's photographs as they end, until the last."""
        seen = 0
        while seen < self.job(id)["total"]:
            since = {"Last-Event-ID": str(seen)}
            with self._ask("GET", f"/v1/jobs/{id}/events", headers=since) as events:
                for line in events:  # of server-sent events (HTML Living Standard, 9.2)
                    told: Any = json.loads(line[6:] if line.startswith(b"data: ") else b"{}")
                    if told.get("receipt"):
                        seen += 1
                        yield Receipt.from_json(json.dumps(told["receipt"]))

    def results(self, id: str, target: Source) -> None:
        """Write the ZIP of an ended job's results."""
        with self._ask("GET", f"/v1/jobs/{id}/results") as answer:
            _write(answer, Path(target))

    def remove(self, id: str) -> None:
        """Remove a job with all its files from the service."""
        with self._ask("DELETE", f"/v1/jobs/{id}"):
            pass

    def models(self) -> list[dict[str, Any]]:
        """The models that may be asked for."""
        with self._ask("GET", "/v1/models") as answer:
            return json.load(answer)

    @contextmanager
    def _ask(
        self, method: str, path: str, form: Form | None = None, headers: Mapping[str, str] = {}
    ) -> Generator[HTTPResponse]:
        """An answer that is good; anything else is raised."""
        kind = HTTPSConnection if self.url.scheme == "https" else HTTPConnection
        connection = kind(self.url.netloc, timeout=self.timeout)
        sent = self.headers | {name: text for name, text in headers.items() if text}
        try:
            body = None if form is None else _multipart(form, sent)
            with suppress(BrokenPipeError, ConnectionResetError):  # refused: the answer says why
                connection.request(method, self.url.path.rstrip("/") + path, body, sent)
            answer = connection.getresponse()
            if answer.status >= 300:
                raise _refusal(answer)
            yield answer
        except (OSError, HTTPException) as error:
            raise RetintError(f"{self.url.geturl()}: {error or type(error).__name__}") from error
        finally:
            connection.close()


def _form(files: list[tuple[str, Path]], options: Mapping[str, Any]) -> Form:
    hints = json.dumps([asdict(hint) for hint in options.get("hints", ())])
    given = {name: str(value) for name, value in options.items() if value is not None}
    return [*((name, text.encode()) for name, text in (given | {"hints": hints}).items()), *files]


def _multipart(form: Form, headers: dict[str, str]) -> Iterator[bytes]:
    """A form as a body (RFC 7578), whose files are read as it is sent, and its headers."""
    boundary, parts = uuid.uuid4().hex, list[bytes | Path]()
    for name, value in form:
        about = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, Path):
            called = "".join(c for c in printable(value) if c.isprintable() and c != '"')
            about += f'; filename="{Path(called).name}"'
        parts += [f"{about}\r\n\r\n".encode(), value, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    size = sum(len(part) if isinstance(part, bytes) else part.stat().st_size for part in parts)
    headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
    headers["Content-Length"] = str(size)
    return (piece for part in parts for piece in _pieces(part))


def _pieces(part: bytes | Path) -> Iterator[bytes]:
    with io.BytesIO(part) if isinstance(part, bytes) else part.open("rb") as file:
        yield from iter(lambda: file.read(1 << 18), b"")


def _refusal(answer: HTTPResponse) -> RetintError:
    told, kind = answer.read(), InputError if answer.status in (406, 413, 422) else RetintError
    with suppress(ValueError, KeyError, TypeError):
        return kind(json.loads(told)["detail"])
    return kind(f"{answer.status} {answer.reason}")


def _write(answer: HTTPResponse, target: Path) -> None:
    """Write a body, whole or not at all."""
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("wb") as file:
            shutil.copyfileobj(answer, file)
        if answer.length:
            raise HTTPException("the answer was cut off")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
