"""Readers of files, as child processes: what a program that trains or serves does with a directory."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def drop_caches():
    """Empties the kernel's page, dentry and inode caches."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def fio(path, pattern, block, jobs=1, seconds=5.0, size=None):
    """Bytes per second of one pattern (read or randread) over an existing file through the page cache."""
    command = ["fio", "--name=bench", f"--filename={path}", f"--rw={pattern}", f"--bs={block}", f"--numjobs={jobs}", "--ioengine=psync",
               "--invalidate=0", "--readonly", "--group_reporting", "--output-format=json", "--time_based", f"--runtime={seconds}"]
    if size:
        command.append(f"--size={size}")
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    job = json.loads(answer.stdout[answer.stdout.index("{"):])["jobs"][0]
    return {"bytesPerSecond": job["read"]["bw_bytes"], "operationsPerSecond": job["read"]["iops"], "p99": job["read"]["clat_ns"]["percentile"]["99.000000"] / 1e6}


def timed(command, **options):
    started = time.monotonic()
    answer = subprocess.run([str(part) for part in command], check=True, capture_output=True, **options)
    return time.monotonic() - started, answer.stdout


def read_once(path, block="1M"):
    """One pass over a file by dd; bytes per second."""
    size = os.stat(path).st_size
    seconds, _ = timed(["dd", f"if={path}", "of=/dev/null", f"bs={block}", "status=none"])
    return {"bytesPerSecond": size / seconds, "seconds": seconds}


def read_list(names, workers=1):
    """Reads whole files in the order given, by one or more processes; seconds."""
    program = Path(__file__).with_name("read_files.py")
    started = time.monotonic()
    subprocess.run([sys.executable, str(program), str(workers)], input="\n".join(map(str, names)), text=True, check=True)
    return {"seconds": time.monotonic() - started, "filesPerSecond": len(names) / (time.monotonic() - started)}


def find(directory):
    """`find -ls`: every name with its attributes; entries and seconds."""
    seconds, out = timed(["find", directory, "-ls"])
    count = out.count(b"\n")
    return {"seconds": seconds, "entriesPerSecond": count / seconds, "entries": count}


def names_of(directory):
    """All files below a directory in listing order, as `find` sees them."""
    _, out = timed(["find", directory, "-type", "f"])
    return sorted(out.decode().splitlines())


