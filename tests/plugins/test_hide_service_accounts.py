"""The example of a hook hides service accounts and nobody else."""

from __future__ import annotations

import pytest

from integration_server import HIDDEN, User
from integration_server.plugins import load_plugins
from tests.plugins.drop_ins import FOLDER, load_drop_in

plugin = load_drop_in("hide_service_accounts")


@pytest.mark.parametrize("name", ["svc-backup", "SVC-Backup", "svc_scan", "svc-"])
def test_service_accounts_are_hidden(name: str) -> None:
    assert plugin.transform_user(User("hq", "1", name)) is HIDDEN


@pytest.mark.parametrize("name", ["ann", "svcann", "ann-svc-", "svc", " svc-x"])
def test_people_pass_unchanged(name: str) -> None:
    user = User("hq", "1", name)
    assert plugin.transform_user(user) is user


def test_every_plugin_of_the_folder_loads() -> None:
    plugins = load_plugins(FOLDER)
    assert {"http_directory", "htpasswd", "csv"} <= plugins.backends.keys()
    assert len(plugins.transforms) == 1
