"""The node under test. Everything the harness knows about calling forebay is in this file."""
import json
import subprocess
import time

from . import peers, processes

KEYS = {"FOREBAY_ACCESS_KEY_ID": "BENCHBENCHBENCHBENCH", "FOREBAY_SECRET_ACCESS_KEY": "benchmark-secret-benchmark-secret-000000"}


class Node:
    """`forebay serve` with one tier, from exec to ready."""

    name = "forebay"

    def __init__(self, bench, mounts, cache="cache", quota="64Gi", memory="1Gi", limits=None, mount_options=None, wait=True):
        self.bench = bench
        self.port, self.admin = processes.free_port(), processes.free_port()
        self.cache = bench.work / cache
        lines = ["version: 1", f"memory-limit: {memory}", "s3:", f"  address: 127.0.0.1:{self.port}", "  anonymous: true",
                 "admin:", f"  address: 127.0.0.1:{self.admin}", "cache:", f"  - directory: {self.cache}", f"    quota: {quota}", "    medium: SSD",
                 "log:", "  level: warning", "mounts:"]
        for name, source in mounts.items():
            lines += [f"  {name}:", f"    source: s3://data?endpoint=http://{source}&region=us-east-1&path-style=true&anonymous=true"]
            lines += [f"    {key}: {value}" for key, value in (mount_options or {}).items()]
        if limits:
            lines += ["limits:"] + [f"  {key}: {value}" for key, value in limits.items()]
        self.config = bench.work / f"forebay-{self.port}.yaml"
        self.config.write_text("\n".join(lines) + "\n")
        self.mounts = mounts
        self.start(wait)

    def start(self, wait=True):
        self.process = self.bench.start([*self.bench.forebay, "serve", "--config", self.config], "forebay", KEYS)
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout=300.0):
        """Seconds from exec to the first 200 of /readyz."""
        url = f"http://127.0.0.1:{self.admin}/readyz"
        deadline = time.monotonic() + timeout
        while processes.http_status(url) != 200:
            if self.process.child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"forebay is not ready; see {self.process.log.name}")
            time.sleep(0.002)
        return time.monotonic() - self.process.started

    def kill_and_restart(self):
        self.process.kill(9)
        self.process.child.wait()
        self.start(wait=False)

    def cpu(self):
        return self.process.cpu()

    def resident(self):
        return processes.memory_bytes(self.process.pid)

    def status(self):
        answer = subprocess.run([*self.bench.forebay, "status", "--output", "json", "--admin", f"127.0.0.1:{self.admin}"],
                                capture_output=True, env={**__import__("os").environ, **KEYS}, check=False)
        return json.loads(answer.stdout) if answer.returncode == 0 else {}


class Stub(Node):
    """An nginx cache behind the same face, to try the harness without a node."""

    name = "stub"

    def start(self, wait=True):
        ready = f"  server {{ listen 127.0.0.1:{self.admin}; location / {{ return 200; }} }}\n"
        started = time.monotonic()
        self.process = peers.proxy_cache(self.bench, self.mounts, name="stub", port=self.port, more=ready).process
        self.process.started = started

    def status(self):
        return {}
