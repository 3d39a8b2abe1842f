"""A PHP script of the kind that administrators write, in PHP-FPM behind nginx.

The script is ``script.php`` of this folder; it speaks the MailStore wire, so that its answers can be compared with ours
byte by field. In its favour: as many workers as asked for, always there; OPcache; database connections that outlive
requests; no limit of memory; room in nginx for a whole answer; no access log.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.rivals.processes import end, listens, wait_until
from bench.rivals.sources import Source
from bench.serving import free_port
from tests.servers.server import program

_SCRIPT = Path(__file__).with_name("script.php")
_PACKAGE = "php-fpm and nginx-light"


@contextmanager
def serving(folder: Path, source: Source, workers: int) -> Iterator[int]:
    """The port on which the script answers, at /mailstore."""
    place = folder / f"php-{source.kind}-{source.count}-{workers}"
    place.mkdir()
    port = free_port()
    (place / "fpm.conf").write_text(_fpm(place, source, workers), encoding="utf-8")
    (place / "nginx.conf").write_text(_nginx(place, port, workers), encoding="utf-8")
    fpm = [_fpm_program(), "--nodaemonize", "--fpm-config", str(place / "fpm.conf")]
    if os.geteuid() == 0:
        fpm.append("--allow-to-run-as-root")
    nginx = [program("nginx", package=_PACKAGE), "-p", str(place), "-c", str(place / "nginx.conf"), "-g", "daemon off;"]
    with ExitStack() as stack, (place / "log").open("ab") as log:
        for command, is_ready in ((fpm, (place / "fpm.sock").exists), (nginx, lambda: listens(port))):
            process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(end, process)
            wait_until(process, is_ready, place / "log")
        yield port


def _fpm_program() -> str:
    """Debian's has the version in its name."""
    for folder in ("/usr/sbin", "/usr/local/sbin"):
        if found := sorted(Path(folder).glob("php-fpm*")):
            return str(found[-1])
    return program("php-fpm", package=_PACKAGE)


def _dsn(source: Source) -> tuple[str, str, str]:
    """What PDO needs: a data source, a user, a password."""
    if source.kind == "sqlite":
        return f"sqlite:{source.address}", "", ""
    host, port, user, password, name = source.database
    return f"pgsql:host={host};port={port};dbname={name}", user, password


def _fpm(place: Path, source: Source, workers: int) -> str:
    names = ("PEOPLE_DSN", "PEOPLE_USER", "PEOPLE_PASSWORD")
    environment = "".join(
        f'env[{name}] = "{value}"\n' for name, value in zip(names, _dsn(source), strict=True) if value
    )
    who = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
    return (
        f"[global]\nerror_log = {place}/fpm.log\npid = {place}/fpm.pid\n"
        f"[www]\n{who}listen = {place}/fpm.sock\npm = static\npm.max_children = {workers}\n"
        f"{environment}"
        "php_admin_value[memory_limit] = -1\nphp_admin_value[max_execution_time] = 600\n"
        "php_admin_value[opcache.enable] = 1\n"
    )


def _nginx(place: Path, port: int, workers: int) -> str:
    who = "user root;\n" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"    {name}_temp_path {place}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"{who}worker_processes {workers};\npid {place}/nginx.pid;\nerror_log {place}/nginx.log warn;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{\n{temporary}    access_log off;\n"
        "    keepalive_requests 1000000;\n    tcp_nodelay on;\n"
        f"    server {{\n        listen 127.0.0.1:{port};\n        location = /mailstore {{\n"
        f"            fastcgi_pass unix:{place}/fpm.sock;\n            fastcgi_read_timeout 600s;\n"
        "            fastcgi_buffers 512 64k;\n            fastcgi_buffer_size 64k;\n"
        "            fastcgi_busy_buffers_size 512k;\n"
        f"            fastcgi_param SCRIPT_FILENAME {_SCRIPT};\n"
        "            fastcgi_param REQUEST_METHOD $request_method;\n"
        "            fastcgi_param CONTENT_TYPE $content_type;\n"
        "            fastcgi_param CONTENT_LENGTH $content_length;\n        }\n    }\n}\n"
    )
