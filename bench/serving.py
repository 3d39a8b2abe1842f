"""A server process under test, and clients for it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/mailstore"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Server:
    """A running process that listens on ``port``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def peak_mb(self) -> float:
        """The most memory that the process ever held resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(arguments: list[str], port: int, log: Path) -> Iterator[Server]:
    """Start a Python process with these arguments, wait until it answers, end it."""
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=output)
    try:
        _wait(process, port, log)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the server did not start: {log.read_text()[-2000:]}")


@contextmanager
def integration_server(folder: Path, backend: str, frontend: str = "", processes: int = 1) -> Iterator[Server]:
    """Our server on one backend table (TOML) as mount /mailstore, with a fresh store."""
    port = free_port()
    # A port may come twice.
    config = Path(tempfile.mkdtemp(prefix=f"config-{port}-", dir=folder))
    (config / "bench.toml").write_text(
        f'[server]\nport = {port}\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
        f"[backends.people]\n{backend}\n"
        f'[frontends.bench]\ntype = "mailstore"\npath = "{PATH}"\nbackends = ["people"]\n{frontend}\n',
        encoding="utf-8",
    )
    arguments = ["-m", "integration_server", "serve", str(config), "--processes", str(processes)]
    with running(arguments, port, folder / "server.log") as server:
        yield server


def fetch_list(port: int, output: Path) -> float:
    """Fetch the whole list into a file; seconds from the question to the last byte."""
    return fetch(port, ("POST", PATH, "cmd=list", _HEADERS), output)


def fetch(port: int, request: tuple[str, str, str, dict[str, str]], output: Path) -> float:
    """Fetch the answer to a request (method, path, body, headers) into a file; seconds until the last byte."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request(*request)
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"{request[1]}: {response.status} {response.read(500)!r}")
    buffer = bytearray(1 << 20)
    with output.open("wb") as file:
        while size := response.readinto(buffer):
            file.write(memoryview(buffer)[:size])
    connection.close()
    return time.perf_counter() - began


def post(connection: http.client.HTTPConnection, body: str) -> bytes:
    connection.request("POST", PATH, body, _HEADERS)
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status} {content[:500]!r}")
    return content


def auth_body(username: str, password: str) -> str:
    return urlencode({"cmd": "auth", "user": username, "pass": password})
