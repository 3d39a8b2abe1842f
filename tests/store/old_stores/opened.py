"""An old store put back in its place, as if the old version had stopped a moment ago."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from tests.servers.server import free_port
from tests.store.old_stores.setting import RECEIVER_PORT, Setting

HERE = Path(__file__).parent
REVISIONS = sorted(path.stem for path in HERE.glob("*.json"))
#: A moment as SQLite or PostgreSQL writes it.
_MOMENT = re.compile(r"\b\d\.\d+e\+09\b|\b\d{10}(?:\.\d+)?\b")
_A_DAY = 86_400.0
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class OldStore:
    """``facts`` are what ``produce`` wrote down beside; ``url`` is the store's for tests, also on SQLite."""

    setting: Setting
    facts: dict[str, Any]
    url: str

    @property
    def revision(self) -> str:
        return self.setting.revision

    def rows(self, like: dict[str, list[str]] | None = None) -> Rows:
        """Everything, or these columns of these tables, sorted."""
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                wanted = like or columns_of(connection)
                return {name: _sorted_rows(connection, name, columns) for name, columns in wanted.items()}
        finally:
            engine.dispose()

    def columns(self) -> dict[str, list[str]]:
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                return columns_of(connection)
        finally:
            engine.dispose()


def columns_of(connection: sa.Connection) -> dict[str, list[str]]:
    """Each table's, but for alembic's own."""
    found = sa.inspect(connection)
    names = [name for name in found.get_table_names() if name != "alembic_version"]
    return {name: [column["name"] for column in found.get_columns(name)] for name in names}


def _sorted_rows(connection: sa.Connection, name: str, columns: list[str]) -> list[tuple[Any, ...]]:
    query = sa.select(*map(sa.column, columns)).select_from(sa.table(name))
    return sorted((tuple(row) for row in connection.execute(query)), key=repr)


def put_back(revision: str, kind: str, folder: Path, receiver_port: int, new_database: Callable[[], str]) -> OldStore:
    """``kind`` is sqlite or postgresql. The people are as they were last."""
    facts = json.loads((HERE / f"{revision}.json").read_text(encoding="utf-8"))[kind]
    text = (HERE / f"{revision}.{kind}.sql").read_text(encoding="utf-8")
    text = _as_of_now(text, facts["made_at"]).replace(f"127.0.0.1:{RECEIVER_PORT}", f"127.0.0.1:{receiver_port}")
    setting = Setting(folder, revision, free_port(), receiver_port)
    if kind == "postgresql":
        setting = replace(setting, store=new_database())
        with psycopg.connect(setting.store.replace("postgresql+psycopg:", "postgresql:")) as connection:
            connection.execute(text.encode())
    setting.write()
    if revision >= "0002":
        setting.write_hq_changed()
    setting.write_branch(12)
    setting.data.mkdir()
    (setting.data / "secret.key").write_bytes(bytes.fromhex(facts["secret_key"]))
    if kind == "sqlite":
        connection = sqlite3.connect(setting.data / "store.db")
        connection.executescript(text)
        connection.close()
    return OldStore(setting, facts, setting.store or f"sqlite:///{setting.data / 'store.db'}")


def _as_of_now(text: str, made_at: float) -> str:
    """What expires, and what is removed for its age, must not depend on the day on which a test runs."""
    later = time.time() - made_at

    def moved(found: re.Match[str]) -> str:
        value = float(found.group())
        return repr(value + later) if abs(value - made_at) < _A_DAY else found.group()

    return _MOMENT.sub(moved, text)
