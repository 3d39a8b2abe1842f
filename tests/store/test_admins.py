"""Administrators and their sessions."""

from __future__ import annotations

import threading
import time

import sqlalchemy as sa

from integration_server.store.admins import Admin, Admins
from integration_server.store.engine import writing
from integration_server.store.schema import admins as table


def ann(admins: Admins) -> Admin:
    admins.create("ann", "first")
    found = admins.get("ann")
    assert found is not None
    return found


def test_password_that_was_changed_meanwhile_begins_no_session(new_engine: sa.Engine) -> None:
    admins = Admins(new_engine)
    was = ann(admins)
    assert admins.begin(was, 60) is not None
    admins.set_password("ann", "second")
    assert admins.begin(was, 60) is None
    admins.delete("ann")
    assert admins.begin(was, 60) is None
    assert admins.sessions() == []


def test_session_that_begins_while_the_administrator_is_deleted_goes_with_them(new_engine: sa.Engine) -> None:
    admins = Admins(new_engine)
    was, told = ann(admins), threading.Event()

    def delete() -> None:
        with writing(new_engine) as connection:
            connection.execute(table.delete().where(table.c.name == "ann"))
            told.set()
            time.sleep(0.2)

    thread = threading.Thread(target=delete)
    thread.start()
    assert told.wait(10)
    assert admins.begin(was, 60) is None
    thread.join()
    assert admins.sessions() == []
