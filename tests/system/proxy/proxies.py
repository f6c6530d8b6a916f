"""nginx and Caddy in front of a server on the loopback interface, with the configuration of deploy/proxy."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from support.process import HANG_S, environment, free_port, wait_until
from support.unheard import accepts

_CONFIGURATION: Final = Path(__file__).parents[3] / "deploy" / "proxy"
_NGINX: Final = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 4096; }}
http {{
    log_format statuses "$status";
    access_log {directory}/statuses.log statuses buffer=64k;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site.conf;
}}
"""

Proxy = Callable[..., AbstractContextManager[int]]


@contextmanager
def nginx(directory: Path, upstream: str, *, without: str = "") -> Iterator[int]:
    """Run nginx with deploy/proxy/nginx.conf until the end of the block, in front of `host:port` or `unix:path`.

    Gives its port. `without` is a text to leave out of the configuration. Statuses of its answers are in `statuses.log`
    of the directory, its errors in `error.log`.
    """
    site = _configured("nginx.conf", {"127.0.0.1:8081": upstream, without: ""})
    with nginx_of(directory, site) as port:
        yield port


@contextmanager
def nginx_of(directory: Path, site: str) -> Iterator[int]:
    """Run nginx with a configuration that says `listen 80`, on another port, likewise."""
    directory.mkdir()
    port = free_port()
    assert "listen 80;" in site
    site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
    (directory / "site.conf").write_text(site, "utf-8")
    configuration = directory / "nginx.conf"
    configuration.write_text(_NGINX.format(directory=directory), "utf-8")
    program = ["nginx", "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(configuration)]
    with _running(program, directory, port):
        yield port


@contextmanager
def caddy(directory: Path, upstream: str, *, without: str = "") -> Iterator[int]:
    """Run Caddy with deploy/proxy/Caddyfile until the end of the block, in front of `host:port` or `unix:path`.

    Gives its port. `without` is as for nginx. What it logs is in `output` of the directory.
    """
    directory.mkdir()
    port = free_port()
    upstream = upstream.replace("unix:", "unix/", 1)
    site = _configured(
        "Caddyfile", {"127.0.0.1:8081": upstream, ":80 {": f"http://:{port} {{\n\tbind 127.0.0.1\n", without: ""}
    )
    configuration = directory / "Caddyfile"
    configuration.write_text("{\n\tadmin off\n}\n" + site, "utf-8")
    program = ["caddy", "run", "--adapter", "caddyfile", "--config", str(configuration)]
    with _running(program, directory, port):
        yield port


def _configured(name: str, replaced: dict[str, str]) -> str:
    """Return a file of deploy/proxy as it is, but for where it listens and where the service does."""
    text = (_CONFIGURATION / name).read_text("utf-8")
    for old, new in replaced.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


@contextmanager
def _running(program: list[str], directory: Path, port: int) -> Iterator[None]:
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            program, env=environment(HOME=str(directory)), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: process.poll() is not None or accepts(("127.0.0.1", port)))
        assert process.poll() is None, (directory / "output").read_text()
        yield
    finally:
        process.terminate()
        process.wait(HANG_S)
