"""An installation with the hooks over backends in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import flask
import pytest
from werkzeug.test import TestResponse

from integration_server.server.installation import Installation, open_installation
from integration_server.store import Store
from tests.directory.memory import WORLD, People


class Hooks:
    """An installation with one mount of the hooks over the backend "club"."""

    def __init__(self, installation: Installation, token: str) -> None:
        self.installation = installation
        self.token = token
        self.app = cast(flask.Flask, installation.app())

    @property
    def people(self) -> People:
        return WORLD["club"]

    @property
    def store(self) -> Store:
        return self.installation.store

    def ask(self, hook: str, **options: Any) -> TestResponse:
        options.setdefault("method", "POST")
        return self.app.test_client().open(f"/site/{hook}.json", environ_base={"REMOTE_ADDR": "127.0.0.1"}, **options)

    def post(self, hook: str, action: str, **fields: str) -> Any:
        body = urlencode({"token": self.token, **fields}) + f"&{action}"
        response = self.ask(hook, data=body, content_type="application/x-www-form-urlencoded")
        assert response.status_code == 200, response.text
        assert response.data.isascii()
        return json.loads(response.data)

    def add(self, email: str, group: str = "test", **fields: str) -> Any:
        given = {"fn": "Ann Lee", **fields}
        return self.post("gs-group-member-add", "add", groupId=group, email=email, **given)

    def search(self, user: str) -> Any:
        return self.post("gs-search-people", "search", user=user)

    def leave(self, user_id: str, group: str = "test") -> Any:
        return self.post("gs-group-member-leave", "leave", groupId=group, userId=user_id)

    def events(self) -> list[tuple[str, str | None, str | None]]:
        return [(event.type, event.group, event.origin) for event in self.store.journal.events(0, 1000)]


MakeHooks = Callable[..., Hooks]


@pytest.fixture
def make_hooks(tmp_path: Path) -> Any:
    made: list[Installation] = []
    WORLD.clear()
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "clubs.py").write_text("from tests.builtin.groupserver.clubs import register_backends\n")

    def make(backend: str = 'groups = ["test", "example"]\n[backends.club.sync]\n', **frontend: str) -> Hooks:
        WORLD["club"] = People()
        frontend = {"backends": '["club"]'} | frontend
        config = tmp_path / "config.d"
        config.mkdir()
        keys = "".join(f"{name} = {value}\n" for name, value in frontend.items())
        (config / "all.toml").write_text(
            f'[server]\ndata_dir = "../data"\n[plugins]\nfolder = "../plugins"\n'
            f'[backends.club]\ntype = "club"\nbreaker_failures = 1000\n{backend}'
            f'[frontends.site]\ntype = "groupserver"\npath = "/site"\n'
            f'site_url = "https://groups.example.com"\n{keys}'
        )
        installation = open_installation(config)
        made.append(installation)
        token = installation.store.frontend_tokens.rotate("site")
        return Hooks(installation, token)

    yield make
    for installation in made:
        installation.close()
    WORLD.clear()
