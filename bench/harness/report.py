"""Results: medians, ratios, a table for people and a JSON file for machines."""
import datetime
import json
import platform
import statistics
import subprocess
from pathlib import Path

from . import congestion

RESULTS = Path(__file__).resolve().parents[1] / "results"


class Result:
    """Rows of one figure; each is measured against a bound."""

    def __init__(self, title):
        self.title, self.rows, self.raw = title, [], {}

    @property
    def met(self):
        return all(row["met"] is not False for row in self.rows)

    def row(self, what, value, unit, bound=None, least=True, base=None, **more):
        met = None if bound is None else (value >= bound if least else value <= bound)
        self.rows.append({"what": what, "value": value, "unit": unit, "bound": bound, "least": least, "base": base, "met": met, **more})


def median(rounds, field):
    return statistics.median(item[field] for item in rounds)


def alternate(repeat, measurements):
    """Runs each named measurement once per round, every other round in reverse order. Returns name -> list of results."""
    results = {name: [] for name in measurements}
    for number in range(repeat):
        names = list(measurements)
        for name in names if number % 2 == 0 else reversed(names):
            results[name].append(measurements[name]())
    return results


def show(name, result):
    print(f"\n{name.upper()}  {result.title}")
    for row in result.rows:
        bound = "" if row["bound"] is None else f"{'≥' if row['least'] else '≤'} {row['bound']:g}"
        mark = {True: "met", False: "MISSED", None: ""}[row["met"]]
        base = "" if row["base"] is None else f"(peer {row['base']:.4g})"
        print(f"  {row['what']:<58} {row['value']:>12.4g} {row['unit']:<10} {bound:<10} {mark:<7} {base}")


def save(name, result, arguments):
    RESULTS.mkdir(exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc)
    document = {
        "figure": name, "title": result.title, "time": now.isoformat(timespec="seconds"), "stub": arguments.stub,
        "repeat": arguments.repeat, "seconds": arguments.seconds, "scale": arguments.scale, "machine": machine(), "rows": result.rows, "raw": result.raw,
    }
    suffix = "-stub" if arguments.stub else ""
    (RESULTS / f"{name}{suffix}.json").write_text(json.dumps(document, indent=1, default=str) + "\n")


def machine():
    return {"kernel": platform.release(), "processors": len(__import__("os").sched_getaffinity(0)), "model": first("model name", "/proc/cpuinfo"),
            "memory": first("MemTotal", "/proc/meminfo"), "dotnet": version(["dotnet", "--version"]),
            "congestionControl": congestion.current(), "nginx": version(["nginx", "-v"]), "varnish": version(["varnishd", "-V"]), "wrk": version(["wrk", "-v"])}


def first(field, path):
    with open(path) as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith(field)), "")


def version(command):
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp"})
        return (answer.stdout + answer.stderr).splitlines()[0]
    except (OSError, IndexError):
        return ""
