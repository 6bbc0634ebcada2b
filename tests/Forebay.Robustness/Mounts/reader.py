"""Reads below a mount until a file appears, compares every byte with the source, and tells how long single operations took."""
import json, mmap, os, random, sys, time

kind, mount, source, stop, seed = sys.argv[1:6]
random.seed(int(seed))
operations, wrong, bytes_read, times = 0, 0, 0, []


def content(name):
    with open(os.path.join(source, name), "rb") as file:
        return file.read()


def timed(work):
    started = time.monotonic()
    result = work()
    times.append(time.monotonic() - started)
    return result


def check(got, expected):
    global operations, wrong, bytes_read
    operations += 1
    bytes_read += len(got)
    if got != expected:
        wrong += 1


def sequential():
    expected = content("large-0")
    with open(os.path.join(mount, "large-0"), "rb", buffering=0) as file:
        offset = 0
        while offset < len(expected) and not os.path.exists(stop):
            check(timed(lambda: file.read(1 << 20)), expected[offset : offset + (1 << 20)])
            offset += 1 << 20


def random_reads():
    expected = content("large-1")
    with open(os.path.join(mount, "large-1"), "rb", buffering=0) as file:
        for _ in range(200):
            offset = random.randrange(len(expected) - 4096)
            check(timed(lambda: os.pread(file.fileno(), 4096, offset)), expected[offset : offset + 4096])


def mapped():
    expected = content("large-2")
    with open(os.path.join(mount, "large-2"), "rb") as file:
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
            for _ in range(200):
                offset = random.randrange(len(expected) - 100_000)
                check(timed(lambda: memory[offset : offset + 100_000]), expected[offset : offset + 100_000])


def small():
    names = sorted(os.listdir(os.path.join(source, "small")))
    if timed(lambda: sorted(os.listdir(os.path.join(mount, "small")))) != names:
        check(b"", b"another listing")
    for name in random.sample(names, min(50, len(names))):
        def whole():
            with open(os.path.join(mount, "small", name), "rb") as file:
                return file.read()
        check(timed(whole), content(os.path.join("small", name)))


error = None
try:
    while not os.path.exists(stop):
        {"sequential": sequential, "random": random_reads, "mapped": mapped, "small": small}[kind]()
except Exception as e:
    error = repr(e)
times.sort()
print(json.dumps({
    "kind": kind, "operations": operations, "bytes": bytes_read, "wrong": wrong, "error": error,
    "longest": times[-1] if times else 0, "p99": times[int(len(times) * 0.99)] if times else 0,
}))
