"""The peers, at their best settings for this work (docs/BENCHMARKS.md says why each is set so)."""
from . import processes

HTTP = """
worker_processes 2;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  # On loopback tcp_nopush costs stalls of up to 40 ms.
  tcp_nopush off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  default_type application/octet-stream;
  open_file_cache max=200000 inactive=3600s;
  open_file_cache_valid 3600s;
  client_body_temp_path {dir}/tmp;
  proxy_temp_path {dir}/tmp;
  fastcgi_temp_path {dir}/tmp;
  uwsgi_temp_path {dir}/tmp;
  scgi_temp_path {dir}/tmp;
{body}
}}
"""

STATIC = """
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
"""

CACHE = """
  proxy_cache_path {dir}/cache levels=1:2 keys_zone=objects:128m max_size=100g inactive=24h use_temp_path=off;
{upstreams}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_cache objects;
    proxy_cache_key $uri$is_args$args;
    proxy_cache_valid 200 24h;
    proxy_cache_lock on;
{locations}
  }}
{more}
"""


class Nginx:
    def __init__(self, bench, name, body, port):
        directory = bench.directory(name)
        (directory / "tmp").mkdir(exist_ok=True)
        config = directory / "nginx.conf"
        config.write_text(HTTP.format(dir=directory, body=body))
        self.name, self.port = name, port
        # As root the workers would otherwise change to a user that cannot read the cache's files.
        self.process = bench.start([bench.tool("nginx", "nginx-light"), "-c", config, "-g", "user root;"], name)
        processes.wait_for(lambda: processes.answers(port), f"{name} listening")

    def cpu(self):
        return self.process.cpu()


def static(bench, root):
    port = processes.free_port()
    return Nginx(bench, "nginx", STATIC.format(port=port, root=root), port)


def proxy_cache(bench, buckets, name="nginx-cache", port=None, more=""):
    """nginx as a cache; buckets maps each first path segment to the address of its source."""
    port = port or processes.free_port()
    upstreams = "".join(f"  upstream source_{b} {{ server {address}; keepalive 64; }}\n" for b, address in buckets.items())
    locations = "".join(f"    location /{b} {{ proxy_pass http://source_{b}/data; }}\n" for b in buckets)
    body = CACHE.format(dir=bench.directory(name), port=port, upstreams=upstreams, locations=locations, more=more)
    return Nginx(bench, name, body, port)


class Varnish:
    name = "varnish"

    def __init__(self, bench, source):
        self.port = processes.free_port()
        directory = bench.directory("varnish")
        self.process = bench.start(
            [bench.tool("varnishd", "varnish"), "-F", "-j", "none", "-n", directory, "-a", f"127.0.0.1:{self.port}", "-b", source,
             "-s", "malloc,4g", "-t", "86400", "-p", "thread_pool_min=100"], "varnish")
        processes.wait_for(lambda: processes.answers(self.port), "varnish listening")

    def cpu(self):
        return self.process.cpu()
