"""The example of the hook wake_consumer sends magic packets."""

from __future__ import annotations

import socket

import pytest

from integration_server.plugins import load_plugins
from tests.plugins.drop_ins import FOLDER, load_drop_in

plugin = load_drop_in("wake_on_lan")


def test_machine_with_a_mac_address_gets_a_magic_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(20)
        monkeypatch.setenv(plugin.VARIABLE, f"127.0.0.1:{ear.getsockname()[1]}")
        for kick in ({}, {"mac": 7}, {"mac": "00:11:22:33:44"}, {"mac": "00:11:22:33:44:5G"}, {"ip": "127.0.0.1"}):
            plugin.wake_consumer(mount="push", consumer="x", kick=kick)
        plugin.wake_consumer(mount="push", consumer="x", kick={"mac": "00:11:22-33:44:Fe"})
        assert ear.recv(200) == b"\xff" * 6 + bytes.fromhex("0011223344fe") * 16


def test_server_finds_the_hook() -> None:
    assert len(load_plugins(FOLDER).wakers) == 1
