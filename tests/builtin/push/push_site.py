"""An installation with one push mount, called as its clients and app servers call it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import flask
from werkzeug.test import TestResponse

from integration_server.server.installation import Installation


def write_push(folder: Path, **settings: object) -> Path:
    """A configuration whose mount ``push`` has these settings."""
    config = folder / "config.d"
    config.mkdir(exist_ok=True)
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    (config / "push.toml").write_text(
        '[server]\nport = 0\ndata_dir = "../data"\n[backends.hq]\ntype = "csv"\npath = "x.csv"\n'
        f'[frontends.push]\ntype = "push"\npath = "/push"\nbackends = ["hq"]\n{lines}',
        encoding="utf-8",
    )
    return config


def new_channel() -> str:
    return str(uuid.uuid4())


@dataclass
class PushSite:
    """Calls go through Flask's client, from this machine."""

    installation: Installation

    def __post_init__(self) -> None:
        self.app = cast(flask.Flask, self.installation.app())

    def post(self, path: str, message: object, **options: Any) -> TestResponse:
        return self.app.test_client().post(f"/push/{path}", json=message, **options)

    def register(self, uaid: str | None = None, channel: str | None = None, **more: object) -> dict[str, str]:
        """What a registration answers."""
        answer = self.post("register", {"UAID": uaid, "APPID": channel or new_channel(), **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.get_json()
        return found

    def put(self, endpoint: str, version: object | None = None, **options: Any) -> TestResponse:
        """What an app server does; ``version`` None sends no body."""
        if version is not None:
            options = {"data": {"version": str(version)}, **options}
        return self.app.test_client().put(urlsplit(endpoint).path, **options)

    def connect(self, *uaids: str, wait: object = None, **options: Any) -> tuple[int, Any]:
        query = {} if wait is None else {"wait": str(wait)}
        answer = self.post("connect", {"UAIDS": list(uaids)}, query_string=query, **options)
        return answer.status_code, answer.get_json() if answer.data else None

    def ack(self, *uaids: str) -> int:
        return self.post("ack", {"UAIDS": list(uaids)}).status_code
