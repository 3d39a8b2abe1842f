"""The configuration page: what is in force, where it stands, whether the files have changed, and no secret at all."""

from __future__ import annotations

import base64
import typing
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from integration_server.config import CoreSettings
from integration_server.plugins import load_plugins
from integration_server.sdk.passwords import hash_password
from integration_server.store.resources import Resource
from tests.web.dashboard.pages import Browser, signed_in
from tests.web.dashboard.test_routes import pages
from tests.web.sites import DISABLED, MakeSite, Site

HUSH = "hush-hush"
SIGNING = base64.b64encode(b"a secret to sign webhooks with..").decode()


def test_settings_bear_their_file_or_count_as_default(make_site: MakeSite) -> None:
    site = make_site({"subscriptions.crm": {"type": "webhook", "url": "https://x.example/"}, **_with("webhook")})
    shown = unescape(signed_in(site).page("/configuration"))
    assert '<code>threads</code></td><td data-label="Value"><code>32</code>' in shown
    assert "[backends.hq]" in shown
    assert "[frontends.archive]" in shown
    assert "[subscriptions.crm]" in shown
    assert '<code>"/mailstore"</code></td><td data-label="From"><code>all.toml</code>' in shown
    assert "What runs is what the files say." in shown


def test_files_that_changed_since_are_told(browser: Browser, site: Site) -> None:
    folder = site.installation.config.base_dir
    (folder / "all.toml").write_text("changed = <script>\n")
    (folder / "20-new & more.toml").write_text("")
    shown = browser.page("/configuration")
    assert "<code>all.toml</code> has changed" in shown
    assert "<code>20-new &amp; more.toml</code> is new" in shown
    assert f'integration-server check "{folder}"' in shown
    assert "[backends.hq]" in shown, "what runs is shown, whatever the files say now"
    (folder / "all.toml").unlink()
    assert "<code>all.toml</code> is gone" in browser.page("/configuration")


def test_plugins_are_shown_with_what_they_bring(make_site: MakeSite) -> None:
    shown = signed_in(make_site()).page("/configuration")
    assert "drop-in file" in shown
    assert "backends: memory" in shown
    assert "frontends: mailstore" in shown
    assert "came with the server" in shown
    assert "Not loaded, because [plugins] disabled names them: sql" in shown


# -- no secret anywhere ----------------------------------------------------------------------------------------------


def _with(*plugins: str) -> dict[str, Any]:
    return {"plugins": {"disabled": [name for name in DISABLED if name not in plugins]}}


def _secrets(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The keys of a settings class that hold secrets."""
    for name, field in model.model_fields.items():
        yield from _within(field.annotation, prefix + (field.alias or name))


def _within(annotation: Any, path: str) -> Iterator[str]:
    if annotation is SecretStr:
        yield path
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _secrets(annotation, f"{path}.")
    else:
        for part in typing.get_args(annotation):
            yield from _within(part, path)


def _hushed(folder: Path) -> dict[str, dict[str, Any]]:
    """Every shipped plugin that has secret settings, with a secret in each of them."""
    key = f"0123456789abcdef{HUSH}"[-32:].rjust(32, "0")
    mount: dict[str, Any] = {"backends": ["hq"], "username": "me"}
    hashed = {"password_hash": hash_password(HUSH, "bcrypt")}
    return {
        "plugins": {"disabled": []},
        "store": {"url": f"sqlite:///{folder}/data/{HUSH}.db"},
        "backends.hq": {"type": "memory"},
        "backends.sql": {
            "type": "sql",
            "url": f"postgresql://me:{HUSH}@db.example/x",
            "db_password": HUSH,
            "table": "people",
            "map": {"username": "login"},
        },
        "backends.ldap": {
            "type": "ldap",
            "servers": ["ldaps://ldap.example"],
            "bases": ["dc=example"],
            "bind_dn": "cn=me",
            "bind_password": HUSH,
        },
        "backends.forum": {"type": "ips_connect"},
        "backends.remote": {
            "type": "ips_connect_remote",
            "url": "https://forum.example/ipsconnect.php",
            "master_key": key,
            "slave_url": "https://us.example/ipsconnect.php",
            "slave_key": key,
        },
        "frontends.archive": {"type": "mailstore", "path": "/mailstore", **mount, "password": HUSH},
        "frontends.hashed": {"type": "mailstore", "path": "/hashed", **mount, **hashed},
        "frontends.groups": {
            "type": "groupserver",
            "path": "/groups",
            **mount,
            "password": HUSH,
            "site_url": "https://groups.example",
            "token_source": "groupserver",
            "token_dsn": f"postgresql://me:{HUSH}@db.example/y",
        },
        "frontends.push": {
            "type": "push",
            "path": "/push",
            **mount,
            "password": HUSH,
            "public_url": "https://push.example/push",
            "kick": "http",
            "kick_url": f"https://kick.example/?key={HUSH}",
        },
        "frontends.relay": {
            "type": "push",
            "path": "/relay",
            "backends": [],
            "upstream": "https://up.example/push",
            "upstream_username": "me",
            "upstream_password": HUSH,
        },
        "frontends.master": {
            "type": "ips_connect",
            "path": "/master",
            "backends": ["forum"],
            "username": "me",
            "password": HUSH,
            "master_key": key,
        },
        "frontends.slave": {
            "type": "ips_connect_slave",
            "path": "/slave",
            "backends": ["remote"],
            "master_networks": ["192.0.2.0/24"],
            "username": "me",
            "password": HUSH,
        },
        "subscriptions.crm": {
            "type": "webhook",
            "url": f"https://crm.example/hook?key={HUSH}",
            "headers": {"Authorization": f"Bearer {HUSH}"},
            "secret": f"whsec_{SIGNING}",
        },
        "subscriptions.board": {
            "type": "ips_connect",
            "backend": "forum",
            "url": "https://board.example/ipsconnect.php",
            "key": key,
            "events": ["ips_connect.*"],
        },
    }


#: Where a table of ``_hushed`` has them; a plugin's new secret setting belongs there, too.
_SECRETS = {
    "sql": {"url", "db_password"},
    "ldap": {"bind_password"},
    "ips_connect_remote": {"master_key", "slave_key"},
    "mailstore": {"password", "password_hash"},
    "groupserver": {"password", "password_hash", "token_dsn"},
    "push": {"password", "password_hash", "kick_url", "upstream_password"},
    "ips_connect": {"password", "password_hash", "master_key", "key"},
    "ips_connect_slave": {"password", "password_hash"},
    "webhook": {"url", "headers", "secret"},
}


def test_every_secret_setting_is_known_here() -> None:
    plugins = load_plugins()
    found: dict[str, set[str]] = {}
    for classes in (plugins.backends, plugins.frontends, plugins.consumers):
        for name, cls in classes.items():
            if keys := set(_secrets(cls.Settings)):
                found.setdefault(name, set()).update(keys)
    assert found == _SECRETS
    assert set(_secrets(CoreSettings)) == {"store.url"}


def test_no_page_holds_a_secret(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(_hushed(tmp_path))
    site.installation.forwarding.bring_configured()
    store = site.installation.store
    token, plain = store.tokens.create("wiki", ["events:read"], [Resource()])
    browser = signed_in(site)
    ids = [one.id for one in store.subscriptions.all()]
    made = {one.secrets[0].secret for one in store.subscriptions.all() if one.secrets}
    shown = [browser.get(path).text for path in pages(site)]
    shown += [browser.page("/subscriptions/one", query_string={"id": id}) for id in ids]
    whole = unescape("".join(shown))
    assert "[subscriptions.crm]" in whole
    assert "[backends.ldap]" in whole
    hashes = [admin.password_hash for admin in store.admins.all()]
    for secret in (HUSH, SIGNING, plain, token.id, *made, *hashes, "$2b$"):
        assert secret not in whole, secret
