"""Every family and variant at full size: built, exported, run once.

    python benchmarks/zoo.py -o benchmarks/zoo.json --markdown docs/zoo-sizes.md

Weights are random: what counts is size, time and that the export agrees with the network. Each runs
in an interpreter of its own, one after the other.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SIZE = (256, 192)  # h, w: a photograph upright, at the size where colour is guessed by default


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", metavar="FAMILY", help="families [all]")
    parser.add_argument("-o", "--output", type=Path, help="where the JSON goes [standard output]")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        sys.stdout.write(json.dumps(measured(*chosen.one)))
        return
    from speed import commit, hardware

    from retint.models import families, family

    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "hardware": hardware(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "size": SIZE,
        "networks": [],
    }
    for name in chosen.only or families():
        for variant in family(name).variants:
            if variant.startswith("tiny"):
                continue
            command = [sys.executable, __file__, "--one", name, variant]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found = {"family": name, "variant": variant}
            if done.returncode:
                found["error"] = (done.stderr.strip().splitlines() or ["killed"])[-1]
            else:
                found |= json.loads(done.stdout)
            report["networks"].append(found)
            sys.stderr.write(f"{found}\n")
    text = json.dumps(report, indent=2) + "\n"
    if chosen.output:
        chosen.output.write_text(text)
    else:
        sys.stdout.write(text)
    if chosen.markdown:
        chosen.markdown.write_text(table(report))
    if any("error" in found for found in report["networks"]):
        sys.exit(1)


def measured(name: str, variant: str) -> dict[str, Any]:
    """What it takes to have this network."""
    import torch

    from retint import export
    from retint.errors import ModelError
    from retint.export.network import Network
    from retint.layers import bins
    from retint.layers.norms import settle
    from retint.models import family
    from retint.predict import OnnxPredictor

    torch.manual_seed(0)
    config = family(name).variants[variant]
    net = family(name).Net(config)
    if hasattr(net, "set_bins"):
        nearest = bins.grid(10.0).norm(dim=1).argsort()[: config.bins]
        net.set_bins(bins.grid(10.0)[nearest], torch.full((config.bins,), 1 / config.bins))
    side = net.size["fixed"][0] if "fixed" in net.size else 256
    card = {"name": name, "version": "0", "license": "MIT", "weights_license": "none: random"}
    network = Network(name, vars(config), net.state_dict(), card | {"working_size": 256})
    with tempfile.TemporaryDirectory() as folder:
        try:
            (written,) = export.write(net.eval(), network, Path(folder))
        except ModelError:
            # random weights may make numbers too large for single precision, of batch norm's
            # statistics that are none; of true ones they may make an answer that a rounding turns
            settle(net, lambda: net(torch.rand(2, 1, side, side) * 100))
            (written,) = export.write(net, network, Path(folder))
        begun = time.perf_counter()
        model = OnnxPredictor(written.path)
        loaded = time.perf_counter() - begun
        L = np.random.default_rng(0).uniform(0, 100, (1, 1, *SIZE)).astype(np.float32)
        model(L)
        times: list[float] = []
        for _ in range(3):
            begun = time.perf_counter()
            model(L)
            times.append(time.perf_counter() - begun)
        return {
            "parameters": sum(p.numel() for p in net.parameters()),
            "takes": dict(net.size),
            "megabytes": round(written.path.stat().st_size / 1e6, 1),
            "difference": round(written.difference, 5),
            "load_s": round(loaded, 2),
            "ms": round(1e3 * min(times)),
        }


def table(report: dict[str, Any]) -> str:
    """The figures as Markdown."""
    busy = report["load_average"][0] > report["hardware"]["cores"]
    lines = [
        "# Every network at full size",
        "",
        f"Measured {report['date'][:10]} on {report['hardware']['cores']} cores by "
        "`python benchmarks/zoo.py`, with random weights: parameters, size of the .onnx (half "
        f"precision), and one picture of {SIZE[1]} x {SIZE[0]} pixels."
        + (" Other programs ran too: times are upper bounds." if busy else ""),
        "",
        "| family | variant | parameters | takes | MB | ms |",
        "| --- | --- | ---: | --- | ---: | ---: |",
    ]
    for found in report["networks"]:
        head = f"| `{found['family']}` | {found['variant']} | "
        if "error" in found:
            lines.append(head + f"failed: {found['error']} | | | |")
            continue
        rule = found["takes"]
        takes = "any size"
        if "multiple_of" in rule:
            takes = f"multiples of {rule['multiple_of']}" if rule["multiple_of"] > 1 else takes
        elif rule:
            takes = "{} x {}".format(*rule["fixed"])
        lines.append(
            head + f"{found['parameters']:,} | {takes} | {found['megabytes']} | {found['ms']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
