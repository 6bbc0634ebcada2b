"""One figure's surroundings: a work directory, tools, servers that end with it, and clients."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import node, processes

REPOSITORY = Path(__file__).resolve().parents[2]
LOADGEN = REPOSITORY / "bench" / "Forebay.LoadGen"


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.repeat, self.seconds = arguments.repeat, arguments.seconds
        self._processes, self._mounts = [], []
        # FOREBAY_BIN measures a published executable; without it the repository's own start script is used.
        self.forebay = [os.environ.get("FOREBAY_BIN", str(REPOSITORY / "forebay"))]

    def __enter__(self):
        if self.arguments.work:
            self.arguments.work.mkdir(parents=True, exist_ok=True)
        self.work = Path(tempfile.mkdtemp(prefix="forebay-bench-", dir=self.arguments.work))
        self._build()
        return self

    def __exit__(self, *error):
        # Mounts go first: a directory whose source is gone is slow to leave.
        for mount in reversed(self._mounts):
            mount.end()
        for process in reversed(self._processes):
            process.end()
        if error[0] is None:
            shutil.rmtree(self.work, ignore_errors=True)
        else:
            print(f"logs are kept in {self.work}")

    def _build(self):
        self._program = LOADGEN / "bin" / "Release" / "net10.0" / "forebay-loadgen.dll"
        newest = max(path.stat().st_mtime for path in LOADGEN.rglob("*.cs") if "obj" not in path.parts)
        if not self._program.exists() or self._program.stat().st_mtime < newest:
            subprocess.run(["dotnet", "build", str(LOADGEN), "-c", "Release", "-v", "q", "--nologo"], check=True, stdout=subprocess.DEVNULL)

    def directory(self, name):
        path = self.work / name
        path.mkdir(exist_ok=True)
        return path

    def tool(self, name, package):
        path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if path is None:
            subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package], check=True, stdout=subprocess.DEVNULL)
            path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        return path

    def start(self, command, name, env=None):
        process = processes.Process(command, self.work / f"{name}.log", env)
        self._processes.append(process)
        return process

    def also_end(self, mount):
        """Has a mount unmounted at the end."""
        self._mounts.append(mount)

    def node(self, mounts, **options):
        return (node.Stub if self.arguments.stub else node.Node)(self, mounts, **options)

    def loadgen_command(self, *arguments):
        return ["dotnet", str(self._program), *map(str, arguments)]

    def loadgen(self, command, port, *arguments, check=True):
        """Runs a client to its end and gives its JSON."""
        full = self.loadgen_command(command, "--to", f"127.0.0.1:{port}", *arguments)
        answer = subprocess.run(full, capture_output=True, text=True, env={**os.environ, **node.KEYS}, check=False)
        if not answer.stdout or (check and answer.returncode != 0):
            raise RuntimeError(f"{' '.join(full)} failed: {answer.stdout}{answer.stderr}")
        return json.loads(answer.stdout)

    def get(self, server, *arguments, check=True):
        """GETs and adds the server's CPU seconds per GiB."""
        before = server.cpu() if server else 0
        result = self.loadgen("get", server.port, *arguments, check=check)
        result["cpuPerGiB"] = (server.cpu() - before) / max(result["bytes"] / 2**30, 1e-9)
        return result

    def script(self, port, bucket, pattern, count, auth):
        path = self.work / f"requests-{port}-{auth}.lua"
        subprocess.run(self.loadgen_command("sign", "--to", f"127.0.0.1:{port}", "--bucket", bucket, "--keys", pattern, "--count", count,
                                            "--auth", auth, "--out", path), check=True, env={**os.environ, **node.KEYS})
        return path

    def wrk(self, server, script, connections=64):
        """Requests per second of prepared requests by wrk, with latencies in ms and the server's CPU."""
        before = server.cpu()
        full = [self.tool("wrk", "wrk"), "-t2", f"-c{connections}", f"-d{max(1, round(self.seconds))}s", "-s", str(script), f"http://127.0.0.1:{server.port}/"]
        answer = subprocess.run(full, capture_output=True, text=True, check=True).stdout
        line = next(line for line in answer.splitlines() if line.startswith("JSON "))
        raw = json.loads(line[5:])
        if raw["errors"] or raw["badStatus"]:
            raise RuntimeError(f"{server.name}: {raw['errors']} errors, {raw['badStatus']} bad answers")
        return {"requestsPerSecond": raw["requests"] / raw["microseconds"] * 1e6, "p50": raw["p50"] / 1000, "p99": raw["p99"] / 1000,
                "p999": raw["p999"] / 1000, "cpuPerGiB": (server.cpu() - before) / (raw["bytes"] / 2**30)}
