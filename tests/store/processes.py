"""Several processes that do the same thing at the same moment.

They are forked from one fresh interpreter, which costs less than starting each, and is safe because that one has no
threads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

_PROLOGUE = """
import json, os, sys, time, traceback
from pathlib import Path
# A first start would load the migrations, each process for itself.
from integration_server.store import Store, migrating
from integration_server.store.failed_logins import Who
arguments = json.loads(sys.argv[2])
"""

_EPILOGUE = """
gate_out, gate_in = os.pipe()
pids = []
for number in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        os.close(gate_in)
        os.read(gate_out, 1)
        try:
            line = json.dumps([number, work(number, arguments)]) + "\\n"
            status = 0
        except BaseException:
            line, status = traceback.format_exc(), 1
        os.write(1, line.encode())
        os._exit(status)
    pids.append(pid)
os.close(gate_in)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids))
"""


def at_once(count: int, work: str, **arguments: Any) -> list[Any]:
    """What ``def work(number, arguments)``, given as source, returns in each of ``count`` processes.

    A failure in any of them fails the test with its traceback.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROLOGUE + dedent(work) + _EPILOGUE, str(count), json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [result for _, result in sorted(json.loads(line) for line in done.stdout.splitlines())]
