"""Mounted directories: Forebay's mount and its peers, s3fs and rclone, at their best settings (docs/BENCHMARKS.md says why)."""
import json
import os
import subprocess
import time

from . import node, processes


def mounted(directory):
    """Asks the kernel's table, never the directory: a mount that hangs must not take the harness with it."""
    with open("/proc/self/mountinfo") as table:
        return any(line.split()[4] == str(directory) for line in table)


class Mount:
    """A mounted source; the processes that serve it are found by their names in the table of processes."""

    def __init__(self, bench, name):
        self.bench, self.name = bench, name
        self.directory = bench.directory(f"mnt-{name}")

    def wait(self, probe="."):
        processes.wait_for(lambda: mounted(self.directory), f"{self.name} mounted")
        subprocess.run(["stat", str(self.directory / probe)], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def end(self):
        for command in (["umount", self.directory], ["umount", "-f", "-l", self.directory]):
            if mounted(self.directory):
                subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=60)


class Forebay(Mount):
    """`forebay mount` of the generated source, stand-alone unless a source is given; with a cache of None it takes what is the default for its source."""

    def __init__(self, bench, address=None, name="forebay", source=None, cache="cache", quota="64Gi", options=(), prefix=""):
        super().__init__(bench, name)
        self.source = source or f"s3://data{prefix}?endpoint=http://{address}&region=us-east-1&path-style=true&anonymous=true"
        self.command = [*map(str, bench.forebay), "mount", self.source, str(self.directory)]
        if cache is not None:
            self.command += ["--cache", "none" if cache == "none" else f"{bench.work / cache}:{quota}:SSD"]
        for option in options:
            self.command += ["-o", option]
        started = time.monotonic()
        answer = subprocess.run(self.command, capture_output=True, text=True, env={**os.environ, **node.KEYS}, check=False, timeout=120)
        self.seconds = time.monotonic() - started
        if answer.returncode != 0:
            raise RuntimeError(f"{' '.join(self.command)} failed: {answer.stderr}")
        bench.also_end(self)

    def described(self):
        """The mount's row of `forebay mount --list`."""
        answer = subprocess.run([*map(str, self.bench.forebay), "mount", "--list", "--output", "json"], capture_output=True, text=True, check=True)
        rows = json.loads(answer.stdout)
        rows = rows.get("mounts", []) if isinstance(rows, dict) else rows
        return next(row for row in rows if row["directory"] == str(self.directory))

    def cpu(self):
        row = self.described()
        return processes.cpu_seconds(row["workerPid"])

    def end(self):
        if mounted(self.directory):
            subprocess.run([*map(str, self.bench.forebay), "unmount", str(self.directory)], check=False, capture_output=True, timeout=60)
        super().end()


class S3fs(Mount):
    def __init__(self, bench, address, name="s3fs", options=()):
        super().__init__(bench, name)
        cache = bench.directory(f"cache-{name}")
        command = [bench.tool("s3fs", "s3fs"), "data", self.directory, "-f", "-o", f"url=http://{address}", "-o", "use_path_request_style",
                   "-o", "public_bucket=1", "-o", f"use_cache={cache}", "-o", "kernel_cache", "-o", "max_stat_cache_size=200000",
                   "-o", "enable_noobj_cache", "-o", "no_check_certificate"]
        for option in options:
            command += ["-o", option]
        self.process = bench.start(command, name)
        bench.also_end(self)
        self.wait()


class Rclone(Mount):
    def __init__(self, bench, address, name="rclone", options=()):
        super().__init__(bench, name)
        cache = bench.directory(f"cache-{name}")
        remote = f":s3,provider=Other,endpoint='http://{address}',force_path_style=true,env_auth=false:data"
        self.process = bench.start(
            ["env", "-u", "AWS_CA_BUNDLE", bench.tool("rclone", "rclone"), "mount", remote, self.directory, "--read-only", "--use-server-modtime", "--vfs-cache-mode", "full",
             "--cache-dir", cache, "--dir-cache-time", "1h", "--attr-timeout", "1h", "--no-checksum", *options], name)
        bench.also_end(self)
        self.wait()


class Local:
    """The same tree on the local file system, written in pieces of 1 MiB as a fill writes it."""

    name = "local"

    def __init__(self, bench, directory="local"):
        self.directory = bench.directory(directory)

    def copy(self, source):
        """Copies a tree or a file from a mount."""
        subprocess.run(["cp", "-r", "--reflink=never", str(source), str(self.directory)], check=True)
