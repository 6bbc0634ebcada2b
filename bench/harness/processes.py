"""Processes of a run: start, wait until they answer, CPU and memory, end."""
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(check, what, timeout=60.0, step=0.02):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(step)
    raise RuntimeError(f"{what} did not happen within {timeout:.0f} s")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def http_status(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def tree(pid):
    """A process and all its descendants."""
    pids, queue = [], [pid]
    while queue:
        current = queue.pop()
        pids.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                with open(f"/proc/{current}/task/{task}/children") as children:
                    queue.extend(int(child) for child in children.read().split())
        except OSError:
            pass
    return pids


def cpu_seconds(pid):
    """User and system time of a process tree, from /proc/PID/stat."""
    total = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICKS


def memory_bytes(pid, field="VmRSS"):
    """One figure of /proc/PID/status, summed over the tree."""
    total = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/status") as status:
                for line in status:
                    if line.startswith(field + ":"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


class Process:
    """A started server. It gets a process group of its own, and is ended by that group."""

    def __init__(self, command, log, env=None):
        self.command = [str(part) for part in command]
        self.log = open(log, "ab")
        self.started = time.monotonic()
        self.child = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})}, start_new_session=True)
        self.pid = self.child.pid

    def cpu(self):
        return cpu_seconds(self.pid)

    def kill(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def end(self):
        self.kill(15)
        try:
            self.child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill(9)
            self.child.wait()
        self.log.close()


def touch_memory(gib=4):
    """
    Writes that many GiB of a file in memory and removes it, so that the pages of the page cache that follow are backed by the host: a virtual
    machine pays for the first touch of each page that its host has taken back (2 to 3 s/GiB here, also for dd), and that is not the cache's doing.
    """
    path = "/dev/shm/forebay-bench-touch"
    piece = bytes(1 << 20)
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(int(gib * 1024)):
                file.write(piece)
    finally:
        os.unlink(path)
