"""The watch over logs finds what it is there for: each planted leak, in this process and in others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.secrecy.watch import Watch

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
SETTINGS = """
import logging, subprocess, sys, http.client
import pytest
from integration_server.sdk.settings import BackendSettings, Secret
from integration_server.sdk.passwords import PasswordChecker
log = logging.getLogger("integration_server.somewhere")

class Settings(BackendSettings):
    type: str = "x"
    password: Secret
"""
IN_THIS_PROCESS = {
    "a setting": 'log.info("as %s", Settings(password="planted in a setting").password.get_secret_value())',
    "part of a URL": 'log.info("%s", Settings(password="pg://me:planted%20in@db/x") and "planted in is it")',
    "a typed password": 'PasswordChecker().verify_nobody("planted as a guess"); log.debug("no: planted as a guess")',
    "an exception": """
    given = Settings(password="planted in an error").password
    try:
        raise ValueError(given.get_secret_value())
    except ValueError:
        log.exception("it failed")
""",
    "another library": """
    given = Settings(password="planted for others").password
    logging.getLogger("other").warning(given.get_secret_value())
""",
}
IN_A_PROGRAM = """
import os
CODE = "import sys; print('integration_server says: the planted program', file=sys.stderr)"
LINE = [sys.executable, "-c", CODE, "integration_server"]

@pytest.fixture
def config(tmp_path):
    (tmp_path / "all.toml").write_text("[frontends.x]\\npassword = 'the planted program'\\n")
    return tmp_path

def test_run(config):
    subprocess.run([*LINE, str(config)], capture_output=True)

def test_lines(config):
    with subprocess.Popen([*LINE, str(config)], stderr=subprocess.PIPE) as it:
        list(it.stderr)

def test_file(config):
    with open(config / "log", "wb") as log:
        subprocess.run([*LINE, str(config)], stderr=log)

def test_environment(config):
    variables = {**os.environ, "INTEGRATION_SERVER_CONFIG": str(config)}
    subprocess.run(LINE, capture_output=True, text=True, env=variables)
"""


def run(pytester: pytest.Pytester, body: str, *args: str, conftest: str = "") -> pytest.RunResult:
    pytester.makepyfile(SETTINGS + body)
    pytester.makeini(f"[pytest]\npythonpath = {ROOT}\n")
    pytester.makeconftest(conftest)
    return pytester.runpytest_subprocess("-p", "tests.secrecy.plugin", "-p", "no:cacheprovider", *args)


@pytest.fixture(autouse=True)
def _from_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_leaks_in_this_process_are_errors_of_their_tests(pytester: pytest.Pytester) -> None:
    tests = [f"def test_{number}():\n    {body.strip()}\n" for number, body in enumerate(IN_THIS_PROCESS.values())]
    result = run(pytester, "\n".join(tests), "-n0")
    result.assert_outcomes(passed=len(tests), errors=len(tests))
    assert result.ret == 1
    shown = result.stdout.str()
    assert "a secret of the configuration: as ***" in shown
    assert "planted in a setting" not in shown
    # Where CI is set, pytest says it once more at the end.
    assert shown.count("a secret was logged:") in (len(tests), 2 * len(tests))


def test_leaks_of_programs_are_errors_of_their_tests(pytester: pytest.Pytester) -> None:
    result = run(pytester, IN_A_PROGRAM, "-n0")
    result.assert_outcomes(passed=4, errors=4)


def test_workers_report_what_they_find(pytester: pytest.Pytester) -> None:
    body = f"def test_good():\n    log.info('well')\ndef test_bad():\n    {IN_THIS_PROCESS['a setting']}\n"
    result = run(pytester, body, "-n2")
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == 1


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_leak_after_the_last_test_fails_the_run(pytester: pytest.Pytester, workers: str) -> None:
    body = """
def test_one():
    Settings(password="planted at the end")
"""
    conftest = """
import logging, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    logging.getLogger("integration_server").info("planted at the end")
"""
    result = run(pytester, body, workers, conftest=conftest)
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["after the last test, a secret was logged:*"])


def test_clean_run_passes_and_counts(pytester: pytest.Pytester) -> None:
    body = """
def test_good():
    settings = Settings(password="never logged at all")
    log.info("%s %r", settings, settings.password)
    Settings(password="short")
    log.warning("a short one")
"""
    result = run(pytester, body, "-n0")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["secrets watched for in logs: 1; too short or too common to be told: 1"])


@pytest.mark.parametrize("common", ["secret", "demo", "1234567", "127.0.0.1", "aaaaaaaaaaaaaaaa", "", "Password"])
def test_words_of_any_log_are_no_leak_and_are_counted(common: str) -> None:
    watch = Watch()
    watch.learn(common, "a password")
    watch.hear(f"the {common} is wrong")
    assert (watch.leaks(), watch.ignored) == ([], {common})


def test_secret_is_found_once_and_hidden_where_it_is_told() -> None:
    watch = Watch()
    watch.learn(b"hush-hush-17", "a token")
    watch.hear("one\ntwo hush-hush-17 three")
    assert [(leak.kind, leak.line) for leak in watch.leaks()] == [("a token", "two *** three")]
    assert watch.leaks() == []
    watch.forget()
    watch.hear("two hush-hush-17 three")
    assert watch.leaks() == []
