"""The generated source: forebay-loadgen source (bench/Forebay.LoadGen)."""
import json
import urllib.request

from . import processes


class Source:
    def __init__(self, bench, objects, latency_ms=0, connection_rate=0, link_rate=0):
        self.port = processes.free_port()
        self.address = f"127.0.0.1:{self.port}"
        command = bench.loadgen_command("source", "--listen", self.address, "--latency-ms", latency_ms,
                                        "--connection-rate", connection_rate, "--link-rate", link_rate)
        for pattern in objects:
            command += ["--objects", pattern]
        self.process = bench.start(command, f"source-{self.port}")
        processes.wait_for(lambda: processes.answers(self.port), "source listening")

    def stats(self, reset=False):
        with urllib.request.urlopen(f"http://{self.address}/stats{'?reset' if reset else ''}", timeout=30) as response:
            return json.load(response)
