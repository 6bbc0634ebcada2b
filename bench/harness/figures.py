"""P1 to P11: one function each. What each means and why it is measured so is in docs/BENCHMARKS.md."""
import statistics
import threading
import time
from pathlib import Path

from . import peers, processes
from .report import Result, alternate, median
from .source import Source

GIB = 1 << 30
BIG = f"big-%02d:16:{GIB}"
SMALL = "small/%06d:1000:65536"
SLOW = {"latency_ms": 20, "connection_rate": 50e6}
LINK = {**SLOW, "link_rate": 800e6}


def same_files(bench, node, size, names):
    """
    Puts the node's own cache files under nginx's root, so that both serve the very same pages. Falls back to copies written by the
    same client where no file of that size is found (the stub keeps headers in its files).
    """
    root = bench.directory("root")
    cached = [path for path in Path(node.cache).rglob("*") if path.is_file() and path.stat().st_size == size] if Path(node.cache).exists() else []
    for number, name in enumerate(names):
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if len(cached) >= len(names):
            target.symlink_to(cached[number])
        else:
            with open(target, "wb") as file:
                file.write(b"\xa5" * size)
    return root, len(cached) >= len(names)


def p1(bench):
    result = Result("hot GET of a 1 GiB object against nginx sendfile of the same file")
    source = Source(bench, [BIG])
    node = bench.node({"data": source.address})
    bench.loadgen("get", node.port, "--keys", "big-00", "--verify")
    root, result.raw["sameFile"] = same_files(bench, node, GIB, ["data/big-00"])
    nginx = peers.static(bench, root)
    bench.loadgen("get", nginx.port, "--keys", "big-00")
    for connections in (1, 8):
        common = ("--keys", "big-00", "--connections", connections, "--seconds", bench.seconds)
        rounds = alternate(bench.repeat, {"nginx": lambda: bench.get(nginx, *common), "forebay": lambda: bench.get(node, *common)})
        compare(result, rounds, "nginx", f"1 GiB, {connections} connections: throughput", "bytesPerSecond", 0.9)
        compare(result, rounds, "nginx", f"1 GiB, {connections} connections: CPU s/GiB", "cpuPerGiB", 1.2, least=False)
        result.raw[f"connections{connections}"] = rounds
    return result


def p2(bench):
    result = Result("hot GET of 64 KiB objects, 64 connections, against nginx static")
    source = Source(bench, [SMALL])
    node = bench.node({"data": source.address})
    common = ("--keys", "small/%06d", "--count", 1000)
    bench.loadgen("get", node.port, *common, "--connections", 8, "--verify")
    root, result.raw["sameFile"] = same_files(bench, node, 65536, [f"data/small/{i:06d}" for i in range(1000)])
    nginx = peers.static(bench, root)
    bench.loadgen("get", nginx.port, *common)
    scripts = {auth: bench.script(node.port, "data", "small/%06d", 1000, auth) for auth in ("none", "header", "presigned")}
    plain = bench.script(nginx.port, "data", "small/%06d", 1000, "none")
    measurements = {"nginx": lambda: bench.wrk(nginx, plain)}
    measurements |= {auth: (lambda script=script: bench.wrk(node, script)) for auth, script in scripts.items()}
    for warm in measurements.values():
        warm()
    rounds = alternate(bench.repeat, measurements)
    base = median(rounds["nginx"], "requestsPerSecond")
    for auth, bound in (("none", 0.7), ("header", 0.5), ("presigned", 0.5)):
        result.row(f"64 KiB, auth {auth}: requests/s, ratio", median(rounds[auth], "requestsPerSecond") / base, "×", bound, base=base)
        result.row(f"64 KiB, auth {auth}: p99", median(rounds[auth], "p99"), "ms", base=median(rounds["nginx"], "p99"))
        result.row(f"64 KiB, auth {auth}: CPU", median(rounds[auth], "cpuPerGiB"), "s/GiB", base=median(rounds["nginx"], "cpuPerGiB"))
    result.raw["rounds"] = rounds
    return result


def p3(bench):
    result = Result("hot GET against nginx proxy_cache and Varnish in front of the same source")
    source = Source(bench, [BIG, SMALL])
    servers = {
        "forebay": bench.node({"data": source.address}),
        "nginx-cache": peers.proxy_cache(bench, {"data": source.address}),
        "varnish": peers.Varnish(bench, source.address),
    }
    for server in servers.values():
        bench.loadgen("get", server.port, "--keys", "big-00", "--verify")
        bench.loadgen("get", server.port, "--keys", "small/%06d", "--count", 1000, "--connections", 8, "--verify")
    source.stats(reset=True)
    for connections in (1, 8):
        common = ("--keys", "big-00", "--connections", connections, "--seconds", bench.seconds)
        rounds = alternate(bench.repeat, {name: (lambda s=server: bench.get(s, *common)) for name, server in servers.items()})
        for peer in ("nginx-cache", "varnish"):
            compare(result, rounds, peer, f"1 GiB, {connections} connections, against {peer}", "bytesPerSecond", 1.0)
        result.raw[f"big{connections}"] = rounds
    scripts = {name: bench.script(server.port, "data", "small/%06d", 1000, "none") for name, server in servers.items()}
    rounds = alternate(bench.repeat, {name: (lambda n=name: bench.wrk(servers[n], scripts[n])) for name in servers})
    for peer in ("nginx-cache", "varnish"):
        compare(result, rounds, peer, f"64 KiB, 64 connections, against {peer}", "requestsPerSecond", 1.0)
    result.raw["small"] = rounds
    result.row("bytes asked of the source meanwhile", source.stats()["bytes"], "B", 0, least=False)
    return result


def p4(bench):
    result = Result("cold GET of 1 GiB from a source with 20 ms to first byte and 50 MB/s per connection")
    slow, capped = Source(bench, [BIG], **SLOW), Source(bench, [BIG], **LINK)
    node = bench.node({"slow": slow.address, "capped": capped.address})
    fresh = iter(range(100))

    def cold(bucket):
        processes.touch_memory()
        return bench.get(node, "--bucket", bucket, "--keys", f"big-{next(fresh) % 10:02d}", "--verify")

    rounds = alternate(bench.repeat, {
        "direct": lambda: bench.loadgen("get", slow.port, "--keys", "big-00"),
        "slow": lambda: cold("slow"),
        "capped": lambda: cold("capped"),
    })
    direct = median(rounds["direct"], "bytesPerSecond")
    result.row("cold against direct, throughput", median(rounds["slow"], "bytesPerSecond") / direct, "×", 8, base=direct)
    result.row("cold over a link of 800 MB/s, share of it", median(rounds["capped"], "bytesPerSecond") / 800e6, "×", 0.9)
    result.row("cold, CPU", median(rounds["slow"], "cpuPerGiB"), "s/GiB")
    # One client process for all, as its own start would hide a millisecond; keys 10 to 15 were never asked for.
    first = ("--keys", "big-%02d", "--first", 10, "--count", 6, "--range", "0-1048575")
    firsts = {"direct": bench.loadgen("get", slow.port, *first), "forebay": bench.loadgen("get", node.port, "--bucket", "slow", *first)}
    base = firsts["direct"]["firstByteMs"]["p50"]
    result.row("first byte, cold: beyond direct (median of 6)", firsts["forebay"]["firstByteMs"]["p50"] - base, "ms", 2, least=False, base=base)
    result.raw |= {"rounds": rounds, "firstByteMs": firsts}
    return result


def p5(bench):
    result = Result("32 clients cold on the same 1 GiB object")
    source = Source(bench, [BIG], **LINK)
    node = bench.node({"data": source.address})
    shares = []
    for number in range(bench.repeat):
        source.stats(reset=True)
        answer = bench.loadgen("get", node.port, "--keys", f"big-{number:02d}", "--connections", 32, "--requests", 32, "--verify")
        shares.append(source.stats()["bytes"] / GIB)
        result.raw[f"round{number}"] = answer
    result.row("bytes from the source / size (worst round)", max(shares), "×", 1.02, least=False)
    return result


def p6(bench):
    keys = round(1_000_000 * bench.arguments.scale)
    result = Result(f"{keys} keys of 48 B: listing from cache, memory per key")
    source = Source(bench, [f"tree:{keys}:1024"])
    node = bench.node({"data": source.address}, memory="2Gi", mount_options={"metadata-ttl": "3600s", "max-listing-bytes": "1Gi"})
    bench.loadgen("list", node.port, "--prefix", "dataset/part-0000/d00/")
    before = {field: processes.memory_bytes(node.process.pid, field) for field in ("VmRSS", "RssAnon")}
    bench.loadgen("list", node.port)
    rounds = []
    for _ in range(bench.repeat):
        source.stats(reset=True)
        rounds.append(bench.loadgen("list", node.port))
        rounds[-1]["sourceRequests"] = source.stats()["requests"]
    # Idle time lets the collector and the allocator give back what the listing only used in passing.
    time.sleep(10)
    after = {field: processes.memory_bytes(node.process.pid, field) for field in ("VmRSS", "RssAnon")}
    result.row("keys/s through the endpoint, from cache", median(rounds, "keysPerSecond"), "keys/s", 200_000)
    result.row("requests to the source meanwhile", max(r["sourceRequests"] for r in rounds), "", 0, least=False)
    result.row("anonymous memory per key, as the kernel sees it", (after["RssAnon"] - before["RssAnon"]) / keys, "B", 150, least=False)
    result.raw |= {"rounds": rounds, "before": before, "after": after, "status": node.status()}
    return result


def p7(bench):
    count, size = round(100_000 * bench.arguments.scale), 107_374
    result = Result(f"kill -9 and restart with {count} objects, {count * size / GIB:.1f} GiB cached")
    source = Source(bench, [f"small/%06d:100000:{size}"])
    node = bench.node({"data": source.address}, mount_options={"metadata-ttl": "86400s"})
    everything = ("--keys", "small/%06d", "--count", count, "--connections", 32, "--verify")
    result.raw["load"] = bench.loadgen("get", node.port, *everything)
    time.sleep(0.2)
    firsts, readies = [], []
    source.stats(reset=True)
    for number in range(bench.repeat):
        node.kill_and_restart()
        url = f"http://127.0.0.1:{node.port}/data/small/{number * 7919 % count:06d}"
        while processes.http_status(url) != 200:
            if time.monotonic() - node.process.started > 120:
                raise RuntimeError("no hit within 120 s of the restart")
            time.sleep(0.002)
        firsts.append(time.monotonic() - node.process.started)
        readies.append(node.wait_ready())
    result.raw["reread"] = bench.loadgen("get", node.port, *everything)
    stats = source.stats()
    result.row("kill -9 to first hot hit, from exec (median)", statistics.median(firsts), "s", 1.0, least=False)
    result.row("bytes refetched by reading all again", stats["bytes"], "B", 0, least=False)
    result.row("requests to the source meanwhile (stats only)", stats["requests"], "")
    result.raw |= {"firstHit": firsts, "ready": readies, "source": stats}
    return result


def p8(bench):
    limit = 256 << 20
    result = Result("RSS under a long mixed load of 500 connections, limit 256 MiB")
    source = Source(bench, [BIG, f"tiny/%06d:100000:4096"], **LINK)
    node = bench.node({"data": source.address}, memory="256Mi", quota="8Gi")
    samples, done = [], threading.Event()

    def sample():
        while not done.wait(0.25):
            samples.append((node.resident(), processes.memory_bytes(node.process.pid, "RssAnon")))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        answer = bench.loadgen("mixed", node.port, "--keys", "tiny/%06d", "--count", 100_000, "--huge-key", "big-00", "--huge-bytes", GIB,
                               "--connections", 500, "--seconds", bench.arguments.long, check=False)
    finally:
        done.set()
        sampler.join()
    result.row("largest RSS / limit", max(s[0] for s in samples) / limit, "×", 1.05, least=False)
    result.row("largest anonymous RSS", max(s[1] for s in samples) / (1 << 20), "MiB")
    result.row("failed requests", answer["errors"], "", 0, least=False)
    result.row("wrong bytes", answer["wrongBytes"], "B", 0, least=False)
    result.row("throughput meanwhile", answer["bytesPerSecond"] / 1e6, "MB/s")
    result.raw |= {"load": answer, "samples": samples}
    return result


def p9(bench):
    result = Result("serve, from exec to ready")
    source = Source(bench, [SMALL])
    times = []
    for number in range(max(5, bench.repeat)):
        node = bench.node({"data": source.address}, cache="cache-p9", wait=False)
        times.append(node.wait_ready() * 1000)
        node.process.end()
    # The first start creates the cache directory and warms the file cache.
    result.row("exec to ready (median of the later starts)", statistics.median(times[1:]), "ms", 300, least=False)
    result.row("exec to ready, first start", times[0], "ms")
    result.raw["times"] = times
    return result


def p11(bench):
    result = Result("rate limits over 10 s")
    source = Source(bench, [BIG])
    for what, limits, connections, rate in (
        ("8 connections under a global 600 MB/s", {"egress-bytes-per-second": 600_000_000}, 8, 600e6),
        ("one connection under 100 MB/s", {"connection-bytes-per-second": 100_000_000}, 1, 100e6),
    ):
        node = bench.node({"data": source.address}, cache=f"cache-{connections}", limits=limits)
        common = ("--keys", "big-00", "--connections", connections)
        bench.loadgen("get", node.port, *common, "--range", f"0-{GIB - 1}", "--requests", 1)
        deviations = [measure_rate(bench, node, common, rate, 10) for _ in range(bench.repeat)]
        result.row(f"{what}: largest deviation", max(abs(d - 1) for d in deviations), "", 0.02, least=False)
        result.raw[what] = deviations
        node.process.end()
    return result


def measure_rate(bench, node, common, rate, seconds):
    """Rate as the client sees it. Whole requests that fit the time: a cut at the end would count bytes still in the kernel's buffers."""
    connections = int(common[3])
    per_request = int(rate * seconds / connections / 8)
    answer = bench.get(node, *common, "--range", f"0-{per_request - 1}", "--requests", connections * 8)
    return answer["bytesPerSecond"] / rate


def compare(result, rounds, peer, what, field, bound, least=True):
    base = median(rounds[peer], field)
    result.row(f"{what}, ratio", median(rounds["forebay"], field) / max(base, 1e-9), "×", bound, least, base=base)


FIGURES = {"p1": p1, "p2": p2, "p3": p3, "p4": p4, "p5": p5, "p6": p6, "p7": p7, "p8": p8, "p9": p9, "p11": p11}
