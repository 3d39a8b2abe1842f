"""When everything is told."""

from __future__ import annotations

from pathlib import Path

from integration_server.sdk.storage import Notice
from integration_server.store.engine import open_store, writing
from integration_server.store.event_rows import write_notices
from integration_server.store.resources import Resource
from tests.crash.memory import Memory
from tests.store.test_bound_channels import Bench
from tests.store.test_journal import put


def test_a_bound_channel_waits_for_no_event_that_is_not_its_own(tmp_path: Path) -> None:
    engine = open_store("", tmp_path)
    bench = Bench(engine)
    channel = bench.bind(Resource())
    try:
        with Memory(str(engine.url)) as memory:
            assert memory.is_quiet()
            bench.journal.apply("hq", [put("ann", "staff")], 0)
            assert not memory.is_quiet()
            bench.channels.acknowledge({channel: bench.version(channel)})
            assert memory.is_quiet()
            with writing(engine) as connection:
                write_notices(connection, [Notice("forum.known", "hq", "ann", {})], 0.0)
            assert memory.is_quiet()
    finally:
        engine.dispose()
