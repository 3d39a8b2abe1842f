"""Writes what a person may want to know, such as a held run or a dead delivery, to a file: an example of the ``audit``
hook.

Copy this file into the folder of ``[plugins] folder = ...``, and name the file in the environment of the server::

    INTEGRATION_SERVER_AUDIT_LOG=/var/log/integration-server/audit.jsonl

Each line is one JSON object with ``time`` (UTC), ``action``, ``subject`` and ``details``. Without the variable nothing
is written. The file is opened anew for every line, so that it may be moved away at any time. It names people; choose a
folder that only the right ones may read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime

from integration_server import hookimpl

VARIABLE = "INTEGRATION_SERVER_AUDIT_LOG"


@hookimpl
def audit(action: str, subject: str, details: Mapping[str, object]) -> None:
    """One line for one action. What goes wrong here, the server logs."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = {"time": time, "action": action, "subject": subject, "details": dict(details)}
    # One write at the end of the file, whole or not at all: other threads and processes write there, too.
    line = json.dumps(record, ensure_ascii=True, default=str).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
