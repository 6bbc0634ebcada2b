"""Does random operations on a mount and on a copy of what is mounted, until a file appears; both must answer alike. The seed tells the order."""
import errno, json, mmap, os, random, stat, sys

mount, copy, stop, seed = sys.argv[1:5]
choose = random.Random(int(seed))
paths = sorted(os.path.relpath(os.path.join(root, name), copy) for root, dirs, files in os.walk(copy) for name in dirs + files)
files = [path for path in paths if os.path.isfile(os.path.join(copy, path))]
directories = ["."] + [path for path in paths if os.path.isdir(os.path.join(copy, path))]
opened, maps, streams, counts = [], [], [], {}


def answer(work, side):
    try:
        return work(side)
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


def alike(operation, path, work):
    counts[operation] = counts.get(operation, 0) + 1
    got, expected = answer(work, mount), answer(work, copy)
    if got != expected:
        what = lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)[:300]
        if isinstance(got, bytes) and isinstance(expected, bytes):
            path += f", other from byte {next((i for i, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]), min(len(got), len(expected)))} on"
        print(json.dumps({"counts": counts, "error": f"{operation} of {path}: {what(got)} instead of {what(expected)}"}))
        sys.exit(0)
    return got


def some_path():
    kind = choose.random()
    if kind < 0.15:
        return choose.choice(paths) + choose.choice(["-", "/none", "/..", "x" * 250, "/.", "x" * 300])
    return choose.choice(paths if kind < 0.5 else files)


def stat_of():
    path = some_path()
    def work(side):
        found = os.lstat(os.path.join(side, path))
        kind = stat.S_IFMT(found.st_mode)
        return kind if stat.S_ISDIR(found.st_mode) else (kind, found.st_size, int(found.st_mtime), found.st_blocks if side == mount else -(-found.st_size // 512))
    alike("stat", path, work)


def list_of():
    path = choose.choice(directories)
    alike("list", path, lambda side: sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in os.scandir(os.path.join(side, path))))


def begin_listing():
    # Goes on later, perhaps served by another process.
    path = choose.choice(directories)
    if len(streams) < 8:
        streams.append((path, os.scandir(os.path.join(mount, path)), set()))


def go_on_listing():
    if not streams:
        return
    at = choose.randrange(len(streams))
    path, stream, seen = streams[at]
    for _ in range(choose.randrange(1, 60)):
        entry = next(stream, None)
        if entry is None:
            stream.close()
            streams.pop(at)
            alike("list slowly", path, lambda side: sorted(seen) if side == mount else sorted(os.listdir(os.path.join(side, path))))
            return
        seen.add(entry.name)


def open_one():
    path = some_path()
    def work(side):
        file = os.open(os.path.join(side, path), os.O_RDONLY | choose_flag)
        pair.append(file)
        return stat.S_IFMT(os.fstat(file).st_mode)
    choose_flag = choose.choice([0, 0, 0, os.O_NOFOLLOW, os.O_NOATIME, os.O_NONBLOCK])
    pair = []
    alike("open", path, work)
    if len(pair) == 2:
        if os.path.isdir(os.path.join(copy, path)) or len(opened) > 40:
            for file in pair:
                os.close(file)
        else:
            opened.append((path, *pair))


def with_open(operation, work):
    if not opened:
        return open_one()
    path, ours, theirs = choose.choice(opened)
    alike(operation, path, lambda side: work(ours if side == mount else theirs))


def some_range(path):
    size = os.path.getsize(os.path.join(copy, path))
    offset = choose.choice([0, choose.randrange(size + 1), max(0, size - choose.randrange(5000)), size, size + choose.randrange(10_000), (choose.randrange(size + 1) // 4096) * 4096])
    return offset, choose.choice([0, 1, choose.randrange(5000), 4096, 65536, choose.randrange(2_000_000)])


def pread():
    if not opened:
        return open_one()
    path, ours, theirs = choose.choice(opened)
    offset, count = some_range(path)
    def whole(file):
        # A read that a signal or the end of a page cuts is short, which is not wrong.
        data = b""
        while len(data) < count and (piece := os.pread(file, count - len(data), offset + len(data))):
            data += piece
        return data
    alike("pread", f"{path} {offset} {count}", lambda side: whole(ours if side == mount else theirs))


def seek_and_read():
    if not opened:
        return open_one()
    path, ours, theirs = choose.choice(opened)
    offset, count = some_range(path)
    whence = choose.choice([os.SEEK_SET, os.SEEK_SET, os.SEEK_END])
    alike("seek", f"{path} {offset}", lambda side: os.lseek(ours if side == mount else theirs, offset if whence == os.SEEK_SET else -min(offset, 100), whence))
    alike("read", f"{path} {offset} {count}", lambda side: os.read(ours if side == mount else theirs, min(count, 100_000)))


def seek_holes():
    if not opened:
        return open_one()
    path, ours, _ = choose.choice(opened)
    size = os.path.getsize(os.path.join(copy, path))
    if size == 0:
        return
    offset = choose.randrange(size)
    counts["holes"] = counts.get("holes", 0) + 1
    found = os.lseek(ours, offset, os.SEEK_DATA), os.lseek(ours, offset, os.SEEK_HOLE)
    os.lseek(ours, 0, os.SEEK_SET)
    alike("data and hole", f"{path} {offset}", lambda side: found if side == mount else (offset, size))
    os.lseek(next(theirs for _, mine, theirs in opened if mine == ours), 0, os.SEEK_SET)


def map_one():
    if not opened:
        return open_one()
    path, ours, theirs = choose.choice(opened)
    if os.path.getsize(os.path.join(copy, path)) and len(maps) < 20:
        maps.append((path, mmap.mmap(ours, 0, prot=mmap.PROT_READ), mmap.mmap(theirs, 0, prot=mmap.PROT_READ)))


def read_map():
    if not maps:
        return map_one()
    path, ours, theirs = choose.choice(maps)
    offset = choose.randrange(len(theirs))
    count = choose.choice([1, 100, 70_000, 1_000_000])
    alike("map", f"{path} {offset} {count}", lambda side: (ours if side == mount else theirs)[offset : offset + count])


def close_one():
    if opened and choose.random() < 0.5:
        _, ours, theirs = opened.pop(choose.randrange(len(opened)))
        os.close(ours)
        os.close(theirs)
    elif maps:
        _, ours, theirs = maps.pop(choose.randrange(len(maps)))
        ours.close()
        theirs.close()


def attributes():
    path = choose.choice(files)
    name = os.path.join(mount, path)
    alike("xattrs", path, lambda side: sorted(os.listxattr(name)) if side == mount else ["user.forebay.cached", "user.forebay.etag", "user.forebay.version"])
    alike("cached", path, lambda side: 0 <= int(os.getxattr(name, "user.forebay.cached")) <= os.path.getsize(os.path.join(copy, path)) if side == mount else True)
    alike("no xattr", path, lambda side: os.getxattr(os.path.join(side, path), "user.none"))


def whole():
    path = choose.choice(files)
    alike("whole", path, lambda side: open(os.path.join(side, path), "rb").read())


operations = [stat_of, stat_of, list_of, begin_listing, go_on_listing, go_on_listing, open_one, open_one, pread, pread, pread, seek_and_read, seek_holes, map_one, read_map, read_map, close_one, attributes, whole]
error = None
try:
    while not os.path.exists(stop):
        choose.choice(operations)()
except Exception as e:
    error = repr(e)
print(json.dumps({"counts": counts, "error": error}))
