"""A loader like those of training frameworks: loader.py MODE ROOT SEED WORKERS. Prints seconds. A child process of the benchmarks.

MODE: small (whole files, shuffled), decode (the same with the work of decoding), large (sequential in pieces of 1 MiB),
mmap (a mapped file of tensors, read in shuffled slices)."""
import mmap
import os
import random
import sys
import time
import zlib


def files_of(root):
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)


def whole(name):
    with open(name, "rb", buffering=0) as file:
        return file.read()


def decode(data):
    # About what decoding a JPEG of that size costs: a few milliseconds of pure computing outside the interpreter.
    for _ in range(20):
        zlib.crc32(zlib.compress(data[:16384], 6))


def large(name):
    buffer = bytearray(1 << 20)
    with open(name, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def mapped(name, order, share, shares):
    with open(name, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        slices = list(range(0, len(view), 4 << 20))
        order.shuffle(slices)
        for start in slices[share::shares]:
            zlib.adler32(view[start:start + (4 << 20)])


def work(mode, root, seed, share, shares):
    order = random.Random(seed)
    if mode == "mmap":
        for name in files_of(root):
            mapped(name, order, share, shares)
        return
    names = files_of(root)
    if mode != "large":
        order.shuffle(names)
    for name in names[share::shares]:
        if mode == "large":
            large(name)
        elif mode == "decode":
            decode(whole(name))
        else:
            whole(name)


def main():
    mode, root, seed, workers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    started = time.monotonic()
    children = []
    for share in range(workers):
        child = os.fork()
        if child == 0:
            work(mode, root, seed, share, workers)
            os._exit(0)
        children.append(child)
    failed = any(os.waitpid(child, 0)[1] != 0 for child in children)
    print(time.monotonic() - started)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
