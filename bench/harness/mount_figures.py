"""M1 to M14: one function each. What each means and why it is measured so is in docs/BENCHMARKS.md."""
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from . import processes, reading
from .mounts import Forebay, Local, Rclone, S3fs
from .report import Result, alternate, median
from .source import Source

GIB = 1 << 30
BIG = f"big-%02d:16:{GIB}"
FILES = [f"files/d{number:02d}/%03d:100:102400" for number in range(100)]
SLOW = {"latency_ms": 20, "connection_rate": 50e6}
LATENCY = {"latency_ms": 20}
LOADER = Path(__file__).with_name("loader.py")


def hot_pair(bench, options=()):
    """A mount with one object cached whole, and the same bytes on the local file system, both read again after the caches were dropped."""
    source = Source(bench, [BIG])
    mount = Forebay(bench, source.address, options=options)
    local = Local(bench)
    reading.read_once(mount.directory / "big-00")
    settle(mount.directory / "big-00")
    local.copy(mount.directory / "big-00")
    reading.drop_caches()
    for place in (mount, local):
        reading.read_once(place.directory / "big-00")
    return source, mount, local


def settle(path):
    """The descriptor of the filling read is gone when a new open can be handed to the kernel; the index follows within 100 ms."""
    time.sleep(0.3)
    os.stat(path)


def ratios(result, rounds, what, bound, field="bytesPerSecond", peer="local", mine="forebay"):
    base = median(rounds[peer], field)
    result.row(f"{what}, ratio to {peer}", median(rounds[mine], field) / max(base, 1e-9), "×", bound, base=base)


def m1(bench):
    result = Result("hot sequential read of 1 GiB by 1 MiB against the local file system")
    _, mount, local = hot_pair(bench)
    result.raw["mount"] = mount.described()
    for jobs in (1, 4):
        rounds = alternate(bench.repeat, {
            place.name: (lambda p=place: reading.fio(p.directory / "big-00", "read", "1M", jobs, bench.seconds)) for place in (local, mount)})
        ratios(result, rounds, f"sequential, 1 MiB, {jobs} jobs", 0.9)
        result.raw[f"jobs{jobs}"] = rounds
    return result


def m2(bench):
    result = Result("hot random reads against the local file system")
    _, mount, local = hot_pair(bench)
    for block in ("4k", "128k"):
        for jobs in (1, 4):
            rounds = alternate(bench.repeat, {
                place.name: (lambda p=place: reading.fio(p.directory / "big-00", "randread", block, jobs, bench.seconds)) for place in (local, mount)})
            ratios(result, rounds, f"random, {block}, {jobs} jobs", 0.85, "operationsPerSecond")
            result.raw[f"{block}-{jobs}"] = rounds
    return result


def m3(bench):
    result = Result("hot reads without passthrough: first pass through the worker, then from the kernel's pages")
    source, mount, local = hot_pair(bench, options=["passthrough=no"])
    peers = [S3fs(bench, source.address, options=["parallel_count=20"]), Rclone(bench, source.address)]
    for peer in peers:
        reading.read_once(peer.directory / "big-00")

    def first(place):
        # Only the mount's own pages go: what the user-space caches read from stays in memory.
        subprocess.run([sys.executable, "-c", "import os,sys; f=os.open(sys.argv[1],os.O_RDONLY); os.posix_fadvise(f,0,0,os.POSIX_FADV_DONTNEED)",
                        str(place.directory / "big-00")], check=True)
        return reading.read_once(place.directory / "big-00")

    def second(place):
        reading.read_once(place.directory / "big-00")
        return reading.fio(place.directory / "big-00", "read", "1M", 1, bench.seconds)

    rounds = alternate(bench.repeat, {place.name: (lambda p=place: first(p)) for place in (mount, *peers)})
    rounds["local"] = [reading.read_once(local.directory / "big-00") for _ in range(bench.repeat)]
    ratios(result, rounds, "first pass, sequential", 0.15)
    best = max((peer.name for peer in peers), key=lambda name: median(rounds[name], "bytesPerSecond"))
    ratios(result, rounds, "first pass, sequential", 0.9, peer=best)
    result.raw["first"] = rounds
    rounds = alternate(bench.repeat, {place.name: (lambda p=place: second(p)) for place in (local, mount)})
    ratios(result, rounds, "second pass, sequential", 0.4)
    result.raw["second"] = rounds
    rounds = alternate(bench.repeat, {
        place.name: (lambda p=place: reading.fio(p.directory / "big-00", "randread", "4k", 1, bench.seconds)) for place in (local, mount)})
    ratios(result, rounds, "second pass, random 4 KiB", 0.65, "operationsPerSecond")
    result.raw["random"] = rounds
    return result


def m4(bench):
    result = Result("10,000 files of 100 KiB in 100 directories, hot, on the default mount, and on one with small_files")
    source = Source(bench, FILES)
    mount, local = Forebay(bench, source.address), Local(bench)
    local.copy(mount.directory / "files")
    settle(mount.directory / "files")
    silent = Forebay(bench, source.address, name="small_files", cache="cache-small-files", options=["small_files"])
    places = (local, mount, silent)
    names = {place.name: reading.names_of(place.directory / "files") for place in places}
    for place in places:
        reading.read_list(names[place.name])
    rounds = alternate(bench.repeat, {place.name: (lambda p=place: reading.read_list(names[p.name])) for place in places})
    ratios(result, rounds, "read all", 0.7, "filesPerSecond")
    ratios(result, rounds, "read all, small_files", None, "filesPerSecond", mine=silent.name)
    result.raw["read"] = rounds
    silent.end()
    for place in (mount, local):
        reading.find(place.directory / "files")
    rounds = alternate(max(bench.repeat, 5), {place.name: (lambda p=place: reading.find(p.directory / "files")) for place in (local, mount)})
    ratios(result, rounds, "find -ls", 0.9, "entriesPerSecond")
    result.raw["find"] = rounds
    return result


def m5(bench):
    result = Result("10,000 files of 100 KiB cold from a source with 20 ms to first byte")
    sample = 300
    for order in ("listed", "shuffled"):
        source = Source(bench, FILES, **LATENCY)
        places = [(Forebay(bench, source.address, name=f"forebay-{order}", cache=f"cache-{order}"), None),
                  (S3fs(bench, source.address, name=f"s3fs-{order}", options=["parallel_count=20"]), sample),
                  (Rclone(bench, source.address, name=f"rclone-{order}", options=["--vfs-read-ahead", "1M"]), sample)]
        rates = {}
        for place, count in places:
            seconds, out = reading.timed(["find", place.directory / "files", "-type", "f"])
            names = sorted(out.decode().splitlines())
            if order == "shuffled":
                random.Random(7).shuffle(names)
            rates[place.name] = reading.read_list(names[:count]) | {"find": seconds}
            place.end()
        mine = rates[f"forebay-{order}"]["filesPerSecond"]
        for peer in ("s3fs", "rclone"):
            base = rates[f"{peer}-{order}"]["filesPerSecond"]
            result.row(f"cold, {order}, against {peer}: files/s", mine / base, "×", 30 if order == "listed" else 15, base=base)
        result.raw[order] = rates
        source.process.end()
    return result


def m6(bench):
    result = Result("cold 1 GiB from a source with 20 ms to first byte and 50 MB/s per connection")
    source = Source(bench, [BIG], **SLOW)
    node = bench.node({"data": source.address}, cache="cache-node")
    places = {"forebay": Forebay(bench, source.address), "rclone": Rclone(bench, source.address),
              "s3fs": S3fs(bench, source.address, name="s3fs"), "s3fs-20": S3fs(bench, source.address, name="s3fs-20", options=["parallel_count=20", "multipart_size=16"])}
    fresh = {name: iter(range(16)) for name in [*places, "endpoint"]}

    def cold(name):
        processes.touch_memory()
        return reading.read_once(places[name].directory / f"big-{next(fresh[name]):02d}")

    def endpoint():
        processes.touch_memory()
        seconds, _ = reading.timed(["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{node.port}/data/big-{next(fresh['endpoint']):02d}"])
        return {"bytesPerSecond": GIB / seconds}

    rounds = alternate(bench.repeat, {**{name: (lambda n=name: cold(n)) for name in places}, "endpoint": endpoint})
    for peer, bound in (("rclone", 3.0), ("s3fs", 3.0), ("s3fs-20", 1.0), ("endpoint", 0.9)):
        ratios(result, rounds, "cold, 1 GiB", bound, peer=peer)
    result.raw["rounds"] = rounds
    return result


def m7(bench):
    count = round(1_000_000 * bench.arguments.scale)
    result = Result(f"a tree of {count} objects: find, cold and again")
    source = Source(bench, [f"tree:{count}:1024"])
    mount = Forebay(bench, source.address, options=["max_stat_cache_size=2000000", "stat_cache_expire=3600", "entry_timeout=3600", "attr_timeout=3600"])
    before = {pid: processes.memory_bytes(mount.described()[pid]) for pid in ("workerPid", "holderPid")}
    cold = reading.timed(["find", mount.directory, "-type", "f", "-size", "+0"])
    entries = cold[1].count(b"\n")
    result.row("cold find", entries / cold[0], "entries/s", 50_000)
    local = bench.directory("local-tree")
    make_tree(mount.directory, local, cold[1])
    reading.find(local)
    rounds = alternate(bench.repeat, {
        "local": lambda: {"entriesPerSecond": entries / reading.timed(["find", local, "-type", "f", "-size", "+0"])[0]},
        "forebay": lambda: {"entriesPerSecond": entries / reading.timed(["find", mount.directory, "-type", "f", "-size", "+0"])[0]}})
    ratios(result, rounds, "find again", 0.8, "entriesPerSecond")
    after = {pid: processes.memory_bytes(mount.described()[pid]) for pid in ("workerPid", "holderPid")}
    for pid in before:
        result.row(f"RSS per entry, {pid}", (after[pid] - before[pid]) / max(entries, 1), "B")
    result.raw |= {"entries": entries, "coldSeconds": cold[0], "rounds": rounds}
    mount.end()
    distant = Source(bench, [f"tree:{count // 5}:1024"], latency_ms=20)
    far = Forebay(bench, distant.address, name="far", cache="cache-far", options=["max_stat_cache_size=2000000"])
    seconds, found = reading.timed(["find", far.directory, "-type", "f", "-size", "+0"])
    result.row(f"cold find of {count // 5}, 20 ms to the first byte", found.count(b"\n") / seconds, "entries/s")
    result.row("questions for it", distant.stats()["lists"], "")
    return result


def make_tree(root, local, listing):
    """Makes sparse files of the same names and sizes: only names and attributes are compared."""
    made = set()
    for line in listing.decode().splitlines():
        target = local / os.path.relpath(line, root)
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        descriptor = os.open(target, os.O_CREAT | os.O_WRONLY, 0o640)
        os.truncate(descriptor, 1024)
        os.close(descriptor)


def m8(bench):
    result = Result("forebay mount, from exec to the first successful stat")
    source = Source(bench, ["small/%06d:1000:65536"])
    times = []
    for _ in range(max(5, bench.repeat)):
        started = time.monotonic()
        mount = Forebay(bench, source.address)
        subprocess.run(["stat", str(mount.directory / "small")], check=True, stdout=subprocess.DEVNULL, timeout=30)
        times.append((time.monotonic() - started) * 1000)
        mount.end()
    result.row("exec to stat (median of the later mounts)", statistics.median(times[1:]), "ms", 300, least=False)
    result.row("exec to stat, first mount", times[0], "ms")
    result.raw["times"] = times
    return result


STALLS = """
import hashlib, mmap, os, random, sys, time
mode, path, want, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
order, longest, stalls, end, passes = random.Random(mode), 0.0, [], time.monotonic() + seconds, 0
expected = open(want, "rb").read() if mode != "small" else None
names = sorted(os.listdir(path)) if mode == "small" else None
while time.monotonic() < end:
    started = time.monotonic()
    if mode == "small":
        name = order.choice(names)
        got, reference = open(os.path.join(path, name), "rb").read(), open(os.path.join(want, name), "rb").read()
    elif mode == "mmap":
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
            start = order.randrange(0, len(view) - 65536)
            got, reference = view[start:start + 65536], expected[start:start + 65536]
    else:
        start = order.randrange(0, len(expected) - 1048576) if mode == "random" else passes * 1048576 % len(expected)
        with open(path, "rb", buffering=0) as file:
            file.seek(start)
            got = file.read(1048576)
        reference = expected[start:start + len(got)]
        if not got:
            sys.exit(f"{mode}: an empty read at {start}")
    stalls.append(time.monotonic() - started)
    if got != reference:
        sys.exit(f"{mode}: wrong bytes")
    passes += 1
stalls.sort()
print(passes, stalls[-1], stalls[int(len(stalls) * 0.99)])
"""


def m9(bench):
    result = Result("kill -9 of the worker every 200 ms under four readers, an upgrade, then kills of the holder")
    source = Source(bench, ["data-%02d:4:268435456", "small/%03d:200:102400"])
    mount, want = Forebay(bench, source.address, options=["passthrough=no"]), bench.directory("want")
    (want / "small").mkdir()
    for key in [f"data-{n:02d}" for n in range(4)] + [f"small/{n:03d}" for n in range(200)]:
        subprocess.run(["curl", "-sf", "-o", str(want / key), f"http://{source.address}/data/{key}"], check=True)
    targets = {"sequential": ("data-00", "data-00"), "random": ("data-01", "data-01"), "mmap": ("data-02", "data-02"), "small": ("small", "small")}
    for phase, victim, pause, length in (("worker", "workerPid", 0.2, bench.arguments.long), ("holder", "holderPid", 1.0, 10)):
        readers = {mode: subprocess.Popen([sys.executable, "-c", STALLS, mode, str(mount.directory / where), str(want / local), str(length)],
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for mode, (where, local) in targets.items()}
        kills, upgraded, until = 0, False, time.monotonic() + length
        while time.monotonic() < until:
            time.sleep(pause)
            if phase == "worker" and not upgraded and time.monotonic() > until - length / 2:
                subprocess.run([*map(str, bench.forebay), "mount", "--upgrade", str(mount.directory)], check=True, capture_output=True, timeout=60)
                upgraded = True
            try:
                os.kill(mount.described()[victim], signal.SIGKILL)
                kills += 1
            except (StopIteration, ProcessLookupError, TypeError):
                pass
        failures, longest, p99 = [], 0.0, 0.0
        for mode, reader in readers.items():
            out, error = reader.communicate(timeout=120)
            if reader.returncode != 0:
                failures.append(f"{mode}: {error.strip().splitlines()[-1] if error.strip() else reader.returncode}")
                continue
            _, stall, high = out.split()
            longest, p99 = max(longest, float(stall)), max(p99, float(high))
        result.row(f"{phase} killed {kills} times: failed readers", len(failures), "", 0, least=False)
        result.row(f"{phase} killed: longest stall", longest * 1000, "ms")
        result.row(f"{phase} killed: p99 of a read", p99 * 1000, "ms", 250, least=False)
        result.raw[phase] = {"kills": kills, "failures": failures}
    return result


def m10(bench):
    result = Result("a loader of training programs, three epochs against local files")
    source = Source(bench, FILES[:50] + [f"large/%02d:4:{GIB // 2}", f"tensors/%02d:1:{GIB}"])
    mount, local = Forebay(bench, source.address), Local(bench)
    memory = []
    for folder in ("files", "large", "tensors"):
        local.copy(mount.directory / folder)
    settle(mount.directory)
    silent = Forebay(bench, source.address, name="small_files", cache="cache-small-files", options=["small_files"])
    settle(silent.directory / "files")
    for mode, folder, bound in (("large", "large", 1.15), ("mmap", "tensors", 1.15), ("decode", "files", 1.15), ("small", "files", 1.4)):
        places = (local, mount, silent) if folder == "files" else (local, mount)
        epochs = alternate(3, {place.name: (lambda p=place: {"seconds": float(reading.timed(
            [sys.executable, LOADER, mode, p.directory / folder, 11, 4])[1])}) for place in places})
        later = {place.name: statistics.median(e["seconds"] for e in epochs[place.name][1:]) for place in places}
        base = later[local.name]
        result.row(f"{mode}: epochs 2 and 3, time against local", later[mount.name] / base, "×", bound, least=False, base=base)
        if silent in places:
            result.row(f"{mode}, small_files: epochs 2 and 3, time against local", later[silent.name] / base, "×", base=base)
        result.raw[mode] = epochs
        row = mount.described()
        memory.append(processes.memory_bytes(row["workerPid"]))
    result.row("largest RSS of the worker", max(memory) / (1 << 20), "MiB")
    return result


def m11(bench):
    result = Result("memory of an idle mount")
    source = Source(bench, ["small/%06d:1000:65536"])
    row = Forebay(bench, source.address).described()
    time.sleep(5)
    for pid in ("holderPid", "workerPid"):
        for field in ("VmRSS", "RssAnon"):
            result.row(f"{pid} {field}", processes.memory_bytes(row[pid], field) / (1 << 20), "MiB")
    return result


def m12(bench):
    result = Result("1 GiB from a node that has it in memory, through a mount with an empty cache of its own, against curl from that node")
    for name, limits in (("loopback", {}), ("10 Gbit/s", {"egress-bytes-per-second": "1250000000"})):
        source = Source(bench, [BIG])
        # As a node of another machine: it lends nothing.
        node = bench.node({"data": source.address}, cache=f"cache-node-{len(limits)}", limits={"max-borrowers": 0, **limits})
        mount = Forebay(bench, source=f"forebay://127.0.0.1:{node.admin}/data", name=f"forebay-{len(limits)}", cache=f"cache-mount-{len(limits)}")
        url = f"http://127.0.0.1:{node.port}/data/big-"
        for number in range(bench.repeat):
            reading.timed(["curl", "-sf", "-o", "/dev/null", f"{url}{number:02d}"])
        fresh = iter(range(bench.repeat))

        def cold(place=mount, numbers=fresh):
            processes.touch_memory()
            return reading.read_once(place.directory / f"big-{next(numbers):02d}")

        def curl(out="/dev/null"):
            return {"bytesPerSecond": GIB / reading.timed(["curl", "-sf", "-o", out, f"{url}00"])[0]}

        def stored(path=str(bench.directory("stored") / "big")):
            Path(path).unlink(missing_ok=True)
            processes.touch_memory()
            return curl(path)

        rounds = alternate(bench.repeat, {"curl": curl, "curl into a file": stored, "forebay": cold})
        for peer, bound in (("curl", 0.9), ("curl into a file", None)):
            ratios(result, rounds, f"cold in the mount, hot in the node, {name}", bound, peer=peer)
        result.raw[name] = rounds
        mount.end()
        node.process.end()
        source.process.end()
    return result


MNIST = ["mnist/train-images-idx3-ubyte-%01d:1:9912422", "mnist/train-labels-idx1-ubyte-%01d:1:28881",
         "mnist/t10k-images-idx3-ubyte-%01d:1:1648877", "mnist/t10k-labels-idx1-ubyte-%01d:1:4542", "small/%03d:300:10240"]


def m14(bench):
    result = Result("first load of a set by a new mount whose node has it, against a mount without a cache")
    source = Source(bench, MNIST, **LATENCY)
    node = bench.node({"data": source.address}, cache="cache-node")
    over = f"forebay://127.0.0.1:{node.admin}/data"
    warm = Forebay(bench, source=over, name="warm", cache=None)
    for folder in ("mnist", "small"):
        reading.timed(["sh", "-c", f"cat {warm.directory}/{folder}/* > /dev/null"])
    warm.end()
    number = iter(range(1000))

    def first(folder, **how):
        mount = Forebay(bench, source.address, name=f"first-{next(number)}", **how)
        seconds, out = reading.timed(["sh", "-c", f"cat {mount.directory}/{folder}/* | wc -c"])
        row = mount.described()
        mount.end()
        return {"seconds": seconds, "perSecond": 1 / seconds, "bytes": int(out), "passthrough": row["passthrough"]}

    for folder, bound in (("mnist", 1.8), ("small", 1.8)):
        rounds = alternate(bench.repeat, {"without cache": lambda: first(folder, cache="none"), "forebay": lambda: first(folder, source=over, cache=None)})
        ratios(result, rounds, f"first load, {folder}", bound, "perSecond", peer="without cache")
        result.raw[folder] = rounds
    return result


def memory_group():
    """Where a control group that bounds memory is made, and the file of its bound: version 2 where it has the controller, else version 1."""
    name = f"forebay-bench-{os.getpid()}"
    root = Path("/sys/fs/cgroup")
    controllers = root / "cgroup.controllers"
    if controllers.exists() and "memory" in controllers.read_text().split():
        return root / name, "memory.max"
    if (root / "memory" / "memory.limit_in_bytes").exists():
        return root / "memory" / name, "memory.limit_in_bytes"
    raise RuntimeError("m13 needs a control group with a bound of memory, and there is none on this machine")


def m13(bench):
    result = Result("hot read of 2.5 GiB in a control group of 1 GiB of memory")
    size = 5 * GIB // 2
    source = Source(bench, [f"huge-%02d:1:{size}"])
    mount, local = Forebay(bench, source.address), Local(bench)
    local.copy(mount.directory / "huge-00")
    settle(mount.directory / "huge-00")
    group, limit = memory_group()
    group.mkdir()
    try:
        (group / limit).write_text(str(GIB))

        def read(place):
            reading.drop_caches()
            command = f"echo $$ > {group}/cgroup.procs; exec dd if={place.directory}/huge-00 of=/dev/null bs=1M status=none"
            subprocess.run(["sh", "-c", command], check=True)
            seconds, _ = reading.timed(["sh", "-c", command])
            return {"bytesPerSecond": size / seconds}

        rounds = alternate(bench.repeat, {place.name: (lambda p=place: read(p)) for place in (local, mount)})
    finally:
        group.rmdir()
    ratios(result, rounds, "read again under the limit", 0.9)
    result.raw["rounds"] = rounds
    return result


FIGURES = {"m1": m1, "m2": m2, "m3": m3, "m4": m4, "m5": m5, "m6": m6, "m7": m7, "m8": m8, "m9": m9, "m10": m10, "m11": m11, "m12": m12, "m13": m13, "m14": m14}
