"""What the command relay is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_server.cli.relay import PASSWORD_VARIABLE, relay_config
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ((), 2, "--upstream"),
        (("--upstream", "http://127.0.0.1/push"), 2, "--listen"),
        (("--upstream", "http://127.0.0.1/push", "--listen", "8080"), 2, "is not HOST:PORT"),
        (("--upstream", "http://127.0.0.1/push", "--listen", "127.0.0.1:70000"), 2, "is not HOST:PORT"),
        (("--upstream", "ftp://127.0.0.1", "--listen", "127.0.0.1:0"), 3, "a URL must begin with https:// or http://"),
        (("--upstream", "http://127.0.0.1/", "--listen", "192.0.2.1:1"), 3, "--listen"),
        (("--upstream", "http://127.0.0.1/", "--listen", "127.0.0.1:0", "--idle-seconds", "9"), 3, "needs kick"),
        (("--upstream", "http://127.0.0.1/", "--listen", "127.0.0.1:0", "--username", "x"), 3, "go together"),
    ],
)
def test_command_says_what_is_wrong(run: Run, tmp_path: Path, args: tuple[str, ...], code: int, text: str) -> None:
    done = run("relay", *args, "--data-dir", tmp_path / "relay")
    assert done.exit_code == code, done.output
    assert text in done.stderr


def test_options_are_settings_of_one_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    options = {
        "upstream": "https://push.example.org/push",
        "websocket": ("::1", 8091),
        "username": "relay",
        "wait_seconds": None,
        "kick": "udp",
        "kick_url": None,
        "networks": ("10.0.0.0/8",),
        "idle_seconds": 15.0,
        "allow_plain_http": False,
    }
    config = relay_config(tmp_path, options)
    assert config.data_dir == tmp_path
    assert config.frontends["relay"].values == {
        "type": "push",
        "path": "/push",
        "upstream": "https://push.example.org/push",
        "upstream_username": "relay",
        "upstream_password": "secret",
        "websocket_host": "::1",
        "websocket_port": 8091,
        "kick": "udp",
        "kick_allow_networks": ["10.0.0.0/8"],
        "idle_seconds": 15.0,
        "allow_plain_http": False,
    }
    assert "secret" not in repr(config)
