"""The log: text or JSON, one record a line whatever callers send, and quiet libraries."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from integration_server.server import logs
from integration_server.web import request_ids

logger = logging.getLogger("integration_server.somewhere")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("it failed")


def test_text_has_time_level_process_and_place() -> None:
    out = io.StringIO()
    logs.configure("info", "text", out)
    logger.info("hello %s", "world")
    logger.debug("too quiet")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d INFO \[\d+\] integration_server\.somewhere: hello world\n",
        out.getvalue(),
    )


def test_line_break_from_a_caller_begins_no_line() -> None:
    out = io.StringIO()
    logs.configure("info", "text", out)
    logger.info("user %s", "x\n2026-01-01 INFO forged\r\x1b[2J\u2028")
    assert len(out.getvalue().splitlines()) == 1
    assert "\\n2026-01-01 INFO forged\\r\\x1b[2J\\u2028" in out.getvalue()


def test_traceback_follows_indented() -> None:
    out = io.StringIO()
    logs.configure("info", "text", out)
    fail()
    first, *rest = out.getvalue().splitlines()
    assert first.endswith("it failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_json_is_an_object_a_line() -> None:
    out = io.StringIO()
    logs.configure("info", "json", out)
    logger.warning("grüße\n%s", "x")
    fail()
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["level"], first["logger"], first["message"]) == (
        "warning",
        "integration_server.somewhere",
        "grüße\nx",
    )
    assert "ValueError" in second["exception"]
    assert out.getvalue().isascii()


@pytest.mark.parametrize("name", ["sqlalchemy.engine.Engine", "waitress", "ldap3", "alembic.runtime"])
def test_statements_of_libraries_are_never_logged(name: str) -> None:
    out = io.StringIO()
    logs.configure("debug", "text", out)
    logging.getLogger(name).info("SELECT ... ('a password',)")
    logging.getLogger(name).debug("SELECT ... ('a password',)")
    assert out.getvalue() == ""
    logging.getLogger(name).warning("something is wrong")
    assert "something is wrong" in out.getvalue()


def test_second_configuration_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.configure("info", "text", first)
    logs.configure("info", "text", second)
    logger.info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_commands_warn_without_tracebacks() -> None:
    out = io.StringIO()
    logs.configure_command(is_debug=False, stream=out)
    fail()
    logger.info("not for people at a command")
    assert out.getvalue() == "error: it failed\n"


def test_event_says_neither_time_nor_level() -> None:
    record = logging.makeLogRecord(
        {"name": "a.b", "levelno": 40, "levelname": "ERROR", "msg": "no\n%s", "args": ("x",), "process": 7}
    )
    assert logs.EventFormatter().format(record) == "[7] a.b: no\\nx"


@pytest.mark.parametrize("form", ["text", "json"])
def test_line_about_a_request_has_its_id(form: str) -> None:
    out = io.StringIO()
    logs.configure("info", form, out)
    logger.info("before")
    id = request_ids.begin("from-the_proxy.7")
    logger.info("meanwhile")
    request_ids.end()
    logger.info("after")
    assert id == "from-the_proxy.7"
    assert [id in line for line in out.getvalue().splitlines()] == [False, True, False]
    if form == "json":
        assert json.loads(out.getvalue().splitlines()[1])["request"] == id


@pytest.mark.parametrize("given", [None, "", "two words", "line\nbreak", "é", "x" * 65, "{}"])
def test_request_gets_an_id_of_ours_where_its_own_is_none(given: str | None) -> None:
    first, second = request_ids.begin(given), request_ids.begin(given)
    request_ids.end()
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert first != second
