"""A server in processes of its own: ``python -m tests.server.worker single|supervisor|worker``.

It prints its port. The application: /pid names the process; /sleep?SECONDS says so and takes that long; /file?PATH
sends a file; /crash ends the process.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from integration_server.server import (
    RestartPolicy,
    ServerLimits,
    WorkersFailed,
    bind,
    inherited_socket,
    serve,
    serve_processes,
)

QUICK = RestartPolicy(first_pause_seconds=0.1, longest_pause_seconds=0.5, quick_ends=4)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/file":
        file = Path(environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Length", str(file.stat().st_size))])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file.open("rb"))
        return wrapped
    if path == "/sleep":
        print("running", flush=True)
        time.sleep(float(environ["QUERY_STRING"]))
    if path == "/crash":
        os._exit(3)
    answer = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


def main(mode: str, *options: str) -> None:
    limits = ServerLimits(**json.loads(options[0])) if options else ServerLimits()
    if mode == "worker":
        sock = inherited_socket()
        assert sock is not None
        if os.environ.get("DIE_AT_ONCE"):
            sys.exit(7)
        serve(application, sock, limits)
        return
    sock = bind("127.0.0.1", 0)
    print(sock.getsockname()[1], flush=True)
    if mode == "single":
        serve(application, sock, limits, on_started=lambda: print("started", flush=True))
        print("stopped", flush=True)
        return
    try:
        serve_processes([sys.executable, "-m", "tests.server.worker", "worker"], sock, 2, policy=QUICK)
    except WorkersFailed as exc:
        sys.exit(f"error: {exc}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(*sys.argv[1:])
