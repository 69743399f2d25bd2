"""Load a service of `retint serve` on this machine: latency, throughput, memory over time.

    python benchmarks/serve.py -o benchmarks/serve.json --minutes 10

It starts servers of its own, on loopback. So many clients ask at once, each again as soon as it has
its answer: `colorize` sends a photograph and takes the result; `looks` asks for a preview of a kept
photograph, each time with another saturation. `memory` is sampled while eight clients send
photographs of several sizes and formats. `batches` times the network alone, on one picture at a
time and on several at once. Processor times are those of the server and its workers (Linux): other
programs disturb them less.
"""

import argparse
import datetime
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speed import commit, hardware, one

MIXED = {"a.jpg": 0.3, "b.tif": 1, "c.jpg": 2, "d.tif": 3, "e.jpg": 4, "rgb.jpg": 6}
"""Megapixels of the photographs that are sent while memory is sampled."""

SAMPLING = 5.0  # seconds between samples of memory
PATIENCE = 120.0  # seconds until a client gives up
BOUNDARY = "limit"

Ask = Callable[[http.client.HTTPConnection, int], int]
"""Sends a client's request of that number and takes the answer in: its status."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="where the JSON goes [standard output]")
    parser.add_argument("--model", default="default", help="name, or path of an .onnx")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="[1 8 32]")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="[1 2]")
    parser.add_argument("--seconds", type=float, default=20, help="of each load [20]")
    parser.add_argument("--minutes", type=float, default=1, help="of sampling memory [1]")
    parser.add_argument("--megapixels", type=float, default=2, help="of the photograph [2]")
    parser.add_argument("--folder", help="where the files lie meanwhile [the system's]")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended all the same
    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "hardware": hardware(),
        "versions": one("versions"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "batches": one("batches", chosen.model),
    }
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        room = Path(folder)
        report["photograph"] = one("make", room / "grey.jpg", int(chosen.megapixels * 1e6))
        photograph = (room / "grey.jpg").read_bytes()
        report["colorize"] = []
        for workers in chosen.workers:
            with house(room / f"house-{workers}", chosen.model, workers) as here:
                for clients in chosen.clients:
                    found = load(here, colorize([photograph]), clients, chosen.seconds)
                    report["colorize"].append({"workers": workers} | found)
        with house(room / "house", chosen.model, chosen.workers[0]) as here:
            kept = [keep(here, photograph) for _ in range(min(8, max(chosen.clients)))]
            report["looks"] = [
                load(here, look(kept), clients, chosen.seconds) for clients in chosen.clients
            ]
        for name, megapixels in MIXED.items():
            one("make", room / name, int(megapixels * 1e6))
        with house(room / "house-memory", chosen.model, chosen.workers[0]) as here:
            mixed = [(room / name).read_bytes() for name in MIXED]
            report["memory"] = memory(here, colorize(mixed), chosen.minutes)
    text = json.dumps(report, indent=1) + "\n"
    if chosen.output:
        chosen.output.write_text(text)
    else:
        sys.stdout.write(text)


@dataclass
class House:
    """A server at work."""

    port: int
    process: subprocess.Popen[bytes]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def processes(self) -> list[int]:
        """Ids of the server and of all that it started, as far as /proc tells."""
        found = [self.process.pid]
        for id in found:
            for path in Path(f"/proc/{id}/task").glob("*/children"):
                found += map(int, path.read_text().split())
        return found

    def cpu_seconds(self) -> float:
        """Processor time that they have taken; what ended meanwhile counts with its parent."""
        ticks = 0
        for id in self.processes():
            about = Path(f"/proc/{id}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, about[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> list[float]:
        """Memory of the server, and of the processes it started; what is shared is shared out."""
        sizes: list[float] = []
        for id in self.processes():
            lines = Path(f"/proc/{id}/smaps_rollup").read_text().splitlines()
            sizes.append(sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")))
        return [round(sizes[0] / 1e3, 1), round(sum(sizes[1:]) / 1e3, 1)]


@contextmanager
def house(data: Path, model: str, workers: int) -> Generator[House]:
    """A server in a new folder, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "retint", "serve", "--data", data, "--port", str(port),
        "--model", model, "--workers", str(workers), "--device", "cpu",
    ]  # fmt: skip
    with (
        data.with_suffix(".log").open("wb") as log,
        subprocess.Popen(command, stderr=log) as server,
    ):
        here = House(port, server)
        try:
            while not is_ready(here):
                if server.poll() is not None:
                    raise SystemExit(data.with_suffix(".log").read_text())
                time.sleep(0.1)
            yield here
        finally:
            server.terminate()


def is_ready(here: House) -> bool:
    try:
        connection = here.connect()
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def load(here: House, ask: Ask, clients: int, seconds: float) -> dict[str, Any]:
    """What so many clients find who ask for so long, each again as soon as it is answered."""
    crowd = Crowd(here, ask)
    before, begin = here.cpu_seconds(), time.perf_counter()
    crowd.ask(clients, seconds)
    wall, cpu = time.perf_counter() - begin, here.cpu_seconds() - before
    good = sorted(took for status, took in crowd.answers if status == 200)
    found = {
        "clients": clients,
        "answers": len(good),
        "refused": len(crowd.answers) - len(good),
        "per_second": round(len(good) / wall, 3),
        **{f"p{share}_s": round(quantile(good, share / 100), 4) for share in (50, 95, 99)},
        "cpu_s_each": round(cpu / max(1, len(good)), 4),
        "mb": here.megabytes(),
    }
    sys.stderr.write(f"{ask.__qualname__.partition('.')[0]} {found}\n")
    return found


def memory(here: House, ask: Ask, minutes: float) -> dict[str, Any]:
    """Memory of server and workers over time, under eight clients."""
    samples: list[list[float]] = []
    crowd, begin = Crowd(here, ask), time.monotonic()
    asking = threading.Thread(target=crowd.ask, args=(8, 60 * minutes))
    asking.start()
    while asking.is_alive():
        samples.append([round((time.monotonic() - begin) / 60, 2), *here.megabytes()])
        asking.join(SAMPLING)
    steady = samples[len(samples) // 2 :]
    return {
        "answers": len(crowd.answers),
        "refused": sum(status != 200 for status, _ in crowd.answers),
        "second_half_mb_per_minute": [round(slope(steady, 1), 3), round(slope(steady, 2), 3)],
        "most_mb": [max(s[1] for s in samples), max(s[2] for s in samples)],
        "samples": samples,
    }


@dataclass
class Crowd:
    """Clients that ask at the same time; `answers` are statuses and the seconds they took."""

    here: House
    request: Ask
    answers: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def ask(self, clients: int, seconds: float) -> None:
        """Until the last has its answer; nothing is asked after so many seconds."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._one, args=(end,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _one(self, end: float) -> None:
        connection = self.here.connect()
        while time.monotonic() < end:
            begin = time.perf_counter()
            try:
                status = self.request(connection, next(self.numbers))
            except (OSError, http.client.HTTPException):  # cut off: counted as refused
                status = 0
                connection.close()
            self.answers.append((status, time.perf_counter() - begin))
        connection.close()


def colorize(photographs: list[bytes]) -> Ask:
    """Send one of these and take the result."""

    def ask(connection: http.client.HTTPConnection, number: int) -> int:
        photograph = photographs[number % len(photographs)]
        return send(connection, "/v1/colorize", photograph, number).status

    return ask


def look(kept: list[str]) -> Ask:
    """Look at one of these, with a saturation that nobody asked for before."""

    def ask(connection: http.client.HTTPConnection, number: int) -> int:
        saturation = 0.5 + number % 10007 / 10007
        wanted = f"/preview?saturation={saturation:.5f}&side=1024"
        connection.request("GET", kept[number % len(kept)] + wanted)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return ask


def keep(here: House, photograph: bytes) -> str:
    """Have a photograph kept, and guessed once: where it is."""
    connection = here.connect()
    place = send(connection, "/v1/photographs", photograph, 0).headers["Location"]
    look([place])(connection, 0)
    connection.close()
    return place


def send(
    connection: http.client.HTTPConnection, path: str, photograph: bytes, number: int
) -> http.client.HTTPResponse:
    """Send a form with a photograph; the answer, whose body has been read."""
    about = f'form-data; name="image"; filename="{number}"'
    body = b"".join((
        f"--{BOUNDARY}\r\nContent-Disposition: {about}\r\n\r\n".encode(),
        photograph,
        f"\r\n--{BOUNDARY}--\r\n".encode(),
    ))  # fmt: skip
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", path, body, kind)
    answer = connection.getresponse()
    answer.read()
    return answer


def quantile(ordered: list[float], share: float) -> float:
    """The smallest value that this share of them does not exceed."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else float("nan")


def slope(samples: list[list[float]], column: int) -> float:
    """Least-squares slope of a column against the first."""
    n = len(samples)
    x, y = sum(s[0] for s in samples) / n, sum(s[column] for s in samples) / n
    spread = sum((s[0] - x) ** 2 for s in samples)
    return sum((s[0] - x) * (s[column] - y) for s in samples) / spread if spread else 0.0


if __name__ == "__main__":
    main()
