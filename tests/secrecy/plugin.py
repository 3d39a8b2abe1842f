"""The plugin: ``pytest_plugins = ["tests.secrecy.plugin"]``. A test in which a secret is logged has an error."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.secrecy import records, seams
from tests.secrecy.programs import Programs
from tests.secrecy.watch import Leak, Watch

_WATCH = Watch()
_PROGRAMS = Programs(_WATCH)
_LATE = pytest.StashKey[list[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LATE] = []
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        # Its workers run the tests.
        return
    seams.observe(_WATCH)
    records.observe(_WATCH)
    _PROGRAMS.observe()


def _found() -> str | None:
    _PROGRAMS.look()
    leaks = _WATCH.leaks()
    return "\n".join(["a secret was logged:", *map(_told, leaks)]) if leaks else None


def _told(leak: Leak) -> str:
    return f"  {leak.kind}: {leak.line}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    try:
        result = yield
    finally:
        found = _found()
        # Those of the last test are watched for to the end.
        if nextitem is not None and nextitem.path != item.path:
            _WATCH.forget()
    if found:
        pytest.fail(found, pytrace=False)
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was said after the last test, in this process or in a worker."""
    late = session.config.stash[_LATE]
    found = _found()
    if found:
        late.append(found)
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["secrecy"] = {"late": late, "known": _WATCH.known_count, "ignored": len(_WATCH.ignored)}
    elif late:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    told = getattr(node, "workeroutput", {}).get("secrecy")
    if told:
        node.config.stash[_LATE] += told["late"]
        _WATCH.known_count += told["known"]
        _WATCH.ignored_elsewhere += told["ignored"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ignored = len(_WATCH.ignored) + _WATCH.ignored_elsewhere
    terminalreporter.write_line(
        f"secrets watched for in logs: {_WATCH.known_count}; too short or too common to be told: {ignored}"
    )
    for late in config.stash[_LATE]:
        terminalreporter.write_line(f"after the last test, {late}", red=True)
