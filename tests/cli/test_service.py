"""``service install``: files that systemd and WinSW can read, for this program and this configuration."""

from __future__ import annotations

import configparser
import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from integration_server.cli.service import quoted
from tests.cli.conftest import Place, Run


def unit_of(text: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(text)
    return parsed


def test_unit_runs_this_program_with_this_configuration(place: Place, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.service"
    result = run("service", "install", place.config, "--kind", "systemd", "--to", file, "--user", "is")
    assert result.exit_code == 0, result.output
    service = unit_of(file.read_text(encoding="utf-8"))["Service"]
    words = shlex.split(service["ExecStart"])
    assert words[-2:] == ["serve", str(place.config.resolve())]
    assert Path(words[0]).parent == Path(sys.executable).parent
    assert shlex.split(service["ReadWritePaths"]) == [str(place.data.resolve())]
    assert (service["User"], service["Type"]) == ("is", "notify")
    assert "systemctl daemon-reload" in result.stdout
    assert "useradd" in result.stdout


def test_file_that_is_there_is_left_alone(place: Place, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.service"
    file.write_text("mine", encoding="utf-8")
    result = run("service", "install", place.config, "--kind", "systemd", "--to", file)
    assert result.exit_code == 3
    assert "exists already" in result.stderr
    assert file.read_text(encoding="utf-8") == "mine"


def test_it_can_be_looked_at_first(place: Place, run: Run) -> None:
    result = run("service", "install", place.config, "--kind", "systemd", "--print")
    assert result.stdout.startswith("[Unit]\n")


def test_windows_gets_a_configuration_of_winsw(place: Place, run: Run, tmp_path: Path) -> None:
    result = run("service", "install", place.config, "--kind", "winsw", "--print")
    service = ElementTree.fromstring(result.stdout)
    arguments = service.findtext("arguments")
    assert arguments is not None
    assert arguments.endswith(f'serve "{place.config.resolve()}"')
    assert service.findtext("workingdirectory") == str(place.data.resolve())


def test_windows_service_is_stopped_as_a_whole_and_told_to_write_utf_8(place: Place, run: Run) -> None:
    result = run("service", "install", place.config, "--kind", "winsw", "--print")
    service = ElementTree.fromstring(result.stdout)
    assert service.findtext("stopparentprocessfirst") == "true"
    assert service.findtext("stoptimeout") == "60 sec"
    assert [env.attrib for env in service.iter("env")] == [{"name": "PYTHONIOENCODING", "value": "utf-8"}]


def test_folder_in_which_the_windows_service_starts_must_be_there(place: Place, run: Run, tmp_path: Path) -> None:
    first = run("service", "install", place.config, "--kind", "winsw", "--to", tmp_path / "one.xml")
    assert f'mkdir "{place.data.resolve()}"' in first.stdout
    place.data.mkdir()
    second = run("service", "install", place.config, "--kind", "winsw", "--to", tmp_path / "two.xml")
    assert "two.exe install" in second.stdout
    assert "mkdir" not in second.stdout


def test_configuration_that_cannot_be_read_is_told(run: Run, tmp_path: Path) -> None:
    result = run("service", "install", tmp_path / "none", "--print")
    assert result.exit_code == 3
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/opt/x", "/opt/x"),
        ("/opt/a b", '"/opt/a b"'),
        ("/opt/100%", '"/opt/100%%"'),
        ("/opt/$HOME", '"/opt/$$HOME"'),
        ('/opt/"x"', '"/opt/\\"x\\""'),
        ("C:\\x", '"C:\\\\x"'),
    ],
)
def test_words_of_a_unit_mean_what_they_say(word: str, written: str) -> None:
    assert quoted(word) == written
