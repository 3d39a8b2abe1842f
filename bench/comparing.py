"""Comparing everybody with what is known of them, against only listing them. A process of its own: FOLDER list|compare.

Both open the same configuration and ask the same backend; what they print is JSON: seconds, those of the processor,
the process's peak memory in MB, and how many events the comparison wrote.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bench import people
from bench.measured import Measured, Median
from integration_server.builtin.mailstore import MailStoreEncoder
from integration_server.forwarding.detection.watcher import Watcher
from integration_server.server.http_server import spare_the_collector
from integration_server.server.installation import Installation, opened

_CONFIG = """
[server]
data_dir = "data"
[log]
level = "warning"
[backends.people]
type = "sql"
url = "sqlite:///{source}"
table = "people"
[backends.people.map]
id = "id"
username = "username"
full_name = "full_name"
emails = "email"
[backends.people.sync]
feed = "off"
[frontends.bench]
type = "mailstore"
path = "/mailstore"
backends = ["people"]
"""


def comparison(folder: Path, count: int, rounds: int, changes: int = 10_000) -> list[Measured]:
    """Nothing changed; then some did. Every figure is from a fresh process, in turn."""
    source = folder / "compared.db"
    people.write_sqlite(source, count)
    config = folder / "compared"
    config.mkdir()
    (config / "bench.toml").write_text(_CONFIG.format(source=source), encoding="utf-8")
    _expect(_run(config, "compare"), 0)  # the baseline
    listed, same, changed = [], [], []
    with _store_open(config):
        for turn in range(rounds):
            listed.append(_run(config, "list"))
            same.append(_expect(_run(config, "compare"), 0))
            _change(source, count, changes, turn)
            changed.append(_expect(_run(config, "compare"), changes))
    peak = max(one["peak_mb"] for one in (*same, *changed))
    floor, unchanged, some = (Median(one["seconds"] for one in all) for all in (listed, same, changed))
    return [
        Measured(f"comparison, {count:,} unchanged users", unchanged, floor, "s", 2.0, "our own list to the spool"),
        Measured(f"the same with {changes:,} changes", some, unchanged, "s", 1.2, "without changes"),
        Measured("peak memory of the comparing process", peak, 0, "MB", 250, is_ratio=False),
    ]


@contextmanager
def _store_open(config: Path) -> Iterator[None]:
    """As a server has it all the time: whoever closes the store last removes its log, which the next one makes anew."""
    with closing(sqlite3.connect(config / "data" / "store.db")) as connection:
        connection.execute("SELECT 1 FROM people LIMIT 1").fetchall()
        yield


def _change(source: Path, count: int, changes: int, turn: int) -> None:
    """Other names for some, spread over everybody."""
    step = max(1, count // changes)
    with closing(sqlite3.connect(source)) as connection, connection:
        ids = ((f"Changed {turn}", number) for number in range(0, step * changes, step))
        connection.executemany("UPDATE people SET full_name = ? WHERE id = ?", ids)


def _expect(outcome: dict[str, Any], events: int) -> dict[str, Any]:
    if outcome["events"] != events:
        raise SystemExit(f"the comparison found {outcome['events']} changes, not {events}")
    return outcome


def _run(config: Path, what: str) -> dict[str, Any]:
    arguments = [sys.executable, "-m", "bench.comparing", str(config), what]
    # Half a gigabyte that was written to prepare this would otherwise be on its way to the disk meanwhile.
    os.sync()
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _list(installation: Installation) -> None:
    installation.lister.listing(installation.mounts["bench"], MailStoreEncoder("application/json"))


def _compare(installation: Installation) -> None:
    forwarding = installation.forwarding
    source = installation.sources["people"]
    result = Watcher(source, installation.store, forwarding.audit, forwarding.bell).run_once()
    if result.reason is not None:
        raise SystemExit(f"the comparison failed: {result.reason}")


def main() -> None:
    folder, what = Path(sys.argv[1]), sys.argv[2]
    with opened(folder) as installation:
        spare_the_collector()
        before = installation.store.journal.last_serial()
        began, cpu_began = time.perf_counter(), time.process_time()
        (_list if what == "list" else _compare)(installation)
        seconds = time.perf_counter() - began
        cpu_seconds = time.process_time() - cpu_began
        events = installation.store.journal.last_serial() - before
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak, "events": events}))


if __name__ == "__main__":
    main()
