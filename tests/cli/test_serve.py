"""``serve``: what it prints works when pasted, its faults are told in a line, and it stops as it should."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from integration_server.cli.serve import base_url, limits_of
from integration_server.config import ServerSettings
from integration_server.server.installation import opened
from integration_server.server.limits import default_connection_limit
from tests.cli.conftest import FRONTEND, Place, Run, Serving, run_process
from tests.waiting import wait_for

Serve = Callable[..., Serving]
Fails = Callable[..., str]


def shell(line: str) -> object:
    """What a pasted line answers."""
    done = subprocess.run(
        ["sh", "-c", line + " --silent --fail-with-body"], capture_output=True, timeout=30, check=True
    )
    return json.loads(done.stdout)


def status(line: str) -> str:
    line += " --silent -o /dev/null -w '%{http_code}'"
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=True).stdout


def test_pasted_curl_lines_answer_until_ctrl_c(place: Place, serve: Serve) -> None:
    serving = serve(place.config)
    list_line, auth_line = serving.curl_lines
    listed = shell(list_line)
    assert isinstance(listed, list)
    assert [user["userName"] for user in listed] == ["ada", "Jörg"]
    assert shell(auth_line) == {"succeeded": True}
    # Behind a proxy that nobody told us about, a caller that looks local is not, whoever the header says it is.
    assert status(list_line + " -H 'X-Forwarded-For: 127.0.0.1'") == "403"
    assert serving.stop(signal.SIGINT) == 0
    assert not any("Traceback" in line for line in serving.log)


def test_pasted_line_lets_the_first_administrator_in(place: Place, serve: Serve) -> None:
    serving = serve(place.config)
    said = serving.wait_until(lambda: [line for line in serving.said if "lets 'admin' in: " in line], "that line")
    line = said[0].partition("lets 'admin' in: ")[2] + " --stdin"
    done = subprocess.run(
        ["sh", "-c", line], input=b"a good passphrase\n", capture_output=True, timeout=30, check=True, cwd="/"
    )
    assert b"admin may sign in" in done.stdout
    serving.stop()
    again = serve(place.config)
    again.wait_until(lambda: any(line.startswith("dashboard: http://") for line in again.said), "the address")
    again.stop()
    assert not any("in: " in line for line in again.said)


def test_mounts_are_named_with_their_urls_but_never_a_real_password(place: Place, serve: Serve) -> None:
    real = FRONTEND.replace("demo_password = true", "").replace("sample of '$HOME'", "a real secret")
    place.write("30-archive.toml", real)
    place.write("31-b.toml", '[frontends.tenant-b]\ntype = "mailstore"\npath = "/b/"\nbackends = "hq"\n')
    serving = serve(place.config)
    serving.wait_until(lambda: any("tenant-b: http://127.0.0.1:" in line for line in serving.said), "the second mount")
    assert serving.stop(signal.SIGTERM) == 0
    assert any(line.startswith("archive: http://127.0.0.1:") for line in serving.said)
    assert not any("curl" in line or "secret" in line for line in serving.said + serving.log)


def test_several_processes_answer_and_stop(place: Place, serve: Serve) -> None:
    serving = serve(place.config, "--processes", 2)
    _, auth_line = serving.curl_lines
    assert shell(auth_line) == {"succeeded": True}
    assert serving.stop() == 0
    assert sum("has the process id" in line for line in serving.log) == 2


@pytest.mark.parametrize("processes", [1, 2])
def test_metrics_are_those_of_all_processes(place: Place, serve: Serve, processes: int) -> None:
    serving = serve("--processes", processes, place.config)
    port = urlsplit(serving.url).port

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as response:
            return str(response.read().decode())

    for _ in range(20):
        assert get("/healthz") == "OK\n"
    counted = re.search(r'requests_total\{frontend="\(monitoring\)",status="200"\} ([\d.]+)', get("/metrics"))
    assert counted is not None
    assert float(counted.group(1)) == 20
    assert serving.stop() == 0


def test_hours_are_those_of_all_processes(place: Place, serve: Serve) -> None:
    serving = serve("--processes", 2, place.config)
    list_line, auth_line = serving.curl_lines
    for _ in range(12):
        assert shell(auth_line) == {"succeeded": True}
        assert shell(list_line)
    assert serving.stop() == 0
    with opened(place.config) as installation:
        counts = installation.store.hourly_counts.since(0)
    assert sum(one.number for one in counts if one.what == "accepted") == 12
    assert sum(one.number for one in counts if one.what == "lists") == 12
    assert {one.number for one in counts if one.what == "people"} == {2}


def test_start_works_after_kill_9(place: Place, serve: Serve) -> None:
    first = serve(place.config)
    list_line, _ = first.curl_lines
    shell(list_line)
    first.process.kill()
    first.process.wait(20)
    list_line, auth_line = serve(place.config).curl_lines
    listed = shell(list_line)
    assert isinstance(listed, list)
    assert len(listed) == 2
    assert shell(auth_line) == {"succeeded": True}


def test_supervisor_that_is_killed_leaves_no_workers(place: Place, serve: Serve) -> None:
    serving = serve(place.config, "--processes", 2)
    shell(serving.curl_lines[1])
    pids = [int(line.rsplit(" ", 1)[1]) for line in serving.log if "has the process id" in line]
    serving.process.kill()
    serving.process.wait(20)
    assert len(pids) == 2
    wait_for(lambda: not any(map(is_running, pids)), "the end of the workers of a supervisor that was killed")


def is_running(pid: int) -> bool:
    """A process that has ended but was not waited for has no command line any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def test_trusted_proxy_tells_who_asks(place: Place, serve: Serve) -> None:
    place.write(
        "10-server.toml",
        (place.config / "10-server.toml").read_text().replace("port = 0", 'port = 0\ntrusted_proxies = "127.0.0.1"'),
    )
    list_line, _ = serve(place.config).curl_lines
    assert isinstance(shell(list_line), list)
    assert status(list_line + " -H 'X-Forwarded-For: 203.0.113.9'") == "403"


# -- what is wrong is said in a line or two, with the exit code for it ------------------------------------------------


@pytest.fixture
def fails(place: Place, run: Run) -> Fails:
    def call(*args: object) -> str:
        result = run("serve", place.config, *args)
        assert result.exit_code == 3, result.output
        assert result.stdout == ""
        return result.stderr

    return call


def test_fault_of_the_configuration_ends_the_process_with_its_code(place: Place) -> None:
    place.write("30-archive.toml", "[frontends.archive")
    done = run_process("serve", place.config)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {place.config}/30-archive.toml: Expected ")
    assert len(done.stderr.splitlines()) == 1


def test_unknown_key_is_named_with_its_file_and_the_nearest_key(place: Place, fails: Fails) -> None:
    path = place.write("20-hq.toml", '[backends.hq]\ntype = "roster"\nfile = "../people.json"\nbad_rows_alowed = 2\n')
    assert fails() == f"error: {path}: backends.hq.bad_rows_alowed: unknown key; did you mean 'bad_rows_allowed'?\n"


def test_every_fault_of_a_kind_has_its_line(place: Place, fails: Fails) -> None:
    path = place.write("20-hq.toml", '[backends.hq]\ntype = "roster"\nnothing = 1\n')
    required, unknown = sorted(fails("--processes", 2).splitlines())
    assert required == f"error: {path}: backends.hq.file: is required"
    assert unknown.startswith(f"error: {path}: backends.hq.nothing: unknown key; known are: ")


def test_folder_that_is_not_there_says_how_to_make_one(tmp_path: Path, run: Run) -> None:
    result = run("serve", tmp_path / "nothing")
    assert result.exit_code == 3
    assert result.stderr == (
        f"error: {tmp_path}/nothing does not exist; 'integration-server init {tmp_path}/nothing' makes one\n"
    )


def test_plugin_that_breaks_is_named_with_its_file(place: Place, fails: Fails) -> None:
    folder = place.path / "drop in"
    folder.mkdir()
    (folder / "broken.py").write_text("import nothing_of_that_name\n")
    place.write("10-server.toml", "[plugins]\nfolder = '../drop in'\ndisabled = ['sql', 'ldap', 'csv_file']\n")
    assert fails() == (
        f"error: plugin broken ({folder}/broken.py) cannot be loaded: "
        "ModuleNotFoundError: No module named 'nothing_of_that_name'\n"
    )


def test_port_that_is_taken_is_told(place: Place, fails: Fails) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = fails("--port", port)
    assert said == (
        f"error: cannot listen on 127.0.0.1:{port}: another program uses this port; stop it or choose another port "
        "([server] host and port, or --host and --port)\n"
    )


def test_two_mounts_on_one_path_are_told_before_listening(place: Place, fails: Fails) -> None:
    place.write("31-b.toml", '[frontends.b]\ntype = "mailstore"\npath = "/mailstore/"\nbackends = "hq"\n')
    assert fails() == "error: frontends.b and frontends.archive share the path '/mailstore/'\n"


def test_store_that_cannot_be_opened_is_told(place: Place, fails: Fails) -> None:
    place.data.write_text("not a folder")
    said = fails()
    assert said.startswith("error: [store]: ")
    assert str(place.data) in said
    assert "Traceback" not in said


def test_option_out_of_range_is_a_usage_error(place: Place, run: Run) -> None:
    result = run("serve", place.config, "--processes", 0)
    assert result.exit_code == 2
    assert "--processes" in result.stderr


def test_configuration_folder_comes_from_the_environment(place: Place, run: Run) -> None:
    place.write("30-archive.toml", "[frontends.archive]\n")
    result = run("serve", env={"INTEGRATION_SERVER_CONFIG": str(place.config)})
    assert result.exit_code == 3
    assert str(place.config) in result.stderr


# -- pieces ----------------------------------------------------------------------------------------------------------


def test_connection_limit_that_nobody_set_is_the_platforms() -> None:
    assert limits_of(ServerSettings()).connection_limit == default_connection_limit()
    assert limits_of(ServerSettings(connection_limit=77)).connection_limit == 77
    assert limits_of(ServerSettings(threads=5, idle_seconds=7.0)).threads == 5


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:81"), ("0.0.0.0", "http://127.0.0.1:81"), ("::1", "http://[::1]:81")],
)
def test_url_is_one_that_this_machine_can_ask(host: str, url: str) -> None:
    assert base_url(host, 81) == url


def test_help_lists_the_exit_codes(run: Run) -> None:
    shown = run("--help").stdout
    assert all(f"\n    {code} " in shown for code in (0, 1, 2, 3, 4, 70, 130))


def test_version_is_the_packages(run: Run) -> None:
    assert run("--version").stdout.startswith("integration-server 0.")
