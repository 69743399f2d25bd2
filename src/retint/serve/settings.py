"""What a house decides about its service."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from retint.errors import OptionsError
from retint.serve.bounds import Bounds

MB = 1 << 20
DAY = 24 * 3600.0


@dataclass(frozen=True)
class Settings:
    """How a service runs. Sizes are in bytes, times in seconds.

    data: folder of the database, of uploads and of results. db: an SQLAlchemy URL; a SQLite file in
    `data` by default. Servers that share a database share `data` too. root: below it, jobs may name
    photographs by path. models: what may be asked for, name -> released model or path of an .onnx;
    the first is the default. keys: whether requests need an API key. workers: processes at work.

    names: host names by which the service is reached, beside localhost and addresses in digits.
    proxies: addresses of those in front of it, whose X-Forwarded-For and -Proto are believed.
    root_path: where it is below a proxy's address, as /retint. rate: requests a minute, and
    concurrency: requests at once, of one key or, without keys, one client; 0: any number. A key may
    have limits of its own.

    max_pixels: of one picture. max_bytes: of one request. max_files, max_paths: photographs of one
    job, sent or by path. quota: of all that lies in `data`. keep: how long results stay after a
    job's end. keep_photographs: how long those to look at stay after the last look. desks: how many
    processes they lie open in. patience: how long whoever waits for a picture is kept waiting.
    limit: how long one photograph may take. lease: after how long without a sign of life another
    worker takes a photograph over. memory: of one process that decodes. silence: how long a client
    may keep the service waiting in the middle of a request or of an answer.
    """

    data: Path
    db: str = ""
    root: Path | None = None
    models: Mapping[str, str] = field(default_factory=lambda: {"default": "default"})
    keys: bool = False
    names: Collection[str] = ()
    proxies: Collection[str] = ()
    root_path: str = ""
    rate: float = 0.0
    concurrency: int = 0
    device: str = "auto"
    workers: int = 1
    desks: int = 1
    max_pixels: int = 500_000_000
    max_bytes: int = 1024 * MB
    max_files: int = 1000
    max_paths: int = 100_000
    quota: int = 50 * 1024 * MB
    keep: float = 7 * DAY
    keep_photographs: float = DAY
    patience: float = 60.0
    limit: float = 600.0
    memory: int = 4096 * MB
    lease: float = 30.0
    silence: float = 30.0

    def __post_init__(self) -> None:
        if not self.models:
            raise OptionsError("a service needs a model")
        if self.root is not None and not self.root.is_dir():
            raise OptionsError(f"{self.root}: the root of jobs by path is no folder")
        for proxy in self.proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise OptionsError(
                    f"the proxy {proxy} is no address or network in digits"
                ) from None
        if not re.fullmatch(r"(/[\w.~-]+)*", self.root_path):
            raise OptionsError(f"the root path is {self.root_path!r}, not like /retint")

    @property
    def url(self) -> str:
        """Where the database is, for SQLAlchemy."""
        return self.db or f"sqlite:///{self.data / 'retint.db'}"

    @property
    def jobs(self) -> Path:
        """The folder that holds one folder for each job."""
        return self.data / "jobs"

    @property
    def photographs(self) -> Path:
        """The folder that holds one folder for each photograph that is kept to be looked at."""
        return self.data / "photographs"

    @property
    def bounds(self) -> Bounds:
        """What a process that decodes may take."""
        return Bounds(self.memory, self.limit * (os.cpu_count() or 1))

    def folder(self, job: str) -> Path:
        """A job's folder: `sources/`, and `NUMBER-ATTEMPT/` for each time a photograph is begun."""
        return self.jobs / job


def models_by_name(wanted: tuple[str, ...]) -> dict[str, str]:
    """Models as they are asked for: a released one by its name, a file by its name without .onnx.

    Raises OptionsError where two have one name.
    """
    found: dict[str, str] = {}
    for model in wanted:
        name = Path(model).stem if model.endswith(".onnx") else model
        if found.setdefault(name, model) != model:
            raise OptionsError(f"two models are called {name}: {found[name]} and {model}")
    return found
