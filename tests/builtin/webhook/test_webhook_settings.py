"""What may be set for a webhook, and what of it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from integration_server import Consumer, Signing, Verifiable
from integration_server.builtin.webhook import WebhookConsumer, WebhookSettings
from integration_server.config import load, parse_table
from integration_server.plugins import load_plugins
from integration_server.sdk.errors import ConfigError

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def settings(**table: Any) -> WebhookSettings:
    return WebhookSettings.model_validate({"type": "webhook", "url": "https://hook.example.org/", **table})


def test_webhook_is_a_builtin_that_can_be_made_over_the_api() -> None:
    assert load_plugins().consumers["webhook"] is WebhookConsumer
    assert issubclass(WebhookConsumer, Consumer)
    assert issubclass(WebhookConsumer, Signing)
    assert issubclass(WebhookConsumer, Verifiable)
    assert WebhookConsumer.is_registrable
    assert {"allow_networks", "ca_file"} == WebhookConsumer.operator_keys
    assert WebhookConsumer.operator_keys <= WebhookSettings.model_fields.keys()


def test_what_people_see_of_the_settings_holds_no_secret() -> None:
    made = settings(
        url="https://hook.example.org/in?key=geheim&page=geheim", headers={"Authorization": "geheim"}, secret=SECRET
    )
    shown = made.model_dump(mode="json")
    assert shown["url"] == "https://hook.example.org/in?key=***&page=***"
    assert set(shown["headers"]) == {"Authorization"}
    for text in (repr(made), str(made), made.model_dump_json(), repr(made.model_dump())):
        assert "geheim" not in text
        assert SECRET not in text


@pytest.mark.parametrize(
    "name",
    [
        *("Content-Type", "content-length", "HOST", "Transfer-Encoding", "connection", "webhook-id", "Webhook-X"),
        *("webhook-signature", "proxy-authorization", "X-Hook-Secret", "expect", "upgrade", "te", "accept-encoding"),
        *("", "a b", "a:b", "ä", "a\r\nb"),
    ],
)  # fmt: skip
def test_headers_that_are_ours_or_none_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"written by the server|cannot be the name"):
        settings(headers={name: "geheim"})


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "geheim\r\nX-B: c"},
        {"X-A": "geheim", "x-a": "geheim"},
        {f"X-{n}": "geheim" for n in range(33)},
        {"X-A": "geheim" * 2000},
        {"X-A": "geheim Ω"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_being_quoted(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(headers=headers)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [
        *({"url": "ftp://geheim/"}, {"url": "https://geheim@h/"}, {"url": "geheim"}, {"url": ""}),
        *({"secret": "geheim"}, {"secret": ""}, {"allow_networks": ["300.0.0.0/8"]}, {"hedders": {}}),
        *({"headers": {"X-A": 1}}, {"headers": {"X-A": ""}}, {"url": {"env": "NO_SUCH_VARIABLE_HERE"}}),
        {"url": "https://h/" + "x" * 8000},
    ],
)
def test_other_mistakes_are_refused_without_being_quoted(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**table)
    assert "geheim" not in str(caught.value)


def test_mistake_in_a_file_names_table_and_key(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        '[subscriptions.wiki]\ntype = "webhook"\nurl = "wiki.example.org/?key=geheim"\nheaders = { Host = "x" }\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        parse_table(load(tmp_path).subscriptions["wiki"], WebhookSettings, tmp_path)
    told = str(caught.value)
    assert f"{tmp_path / 'a.toml'}: subscriptions.wiki.url: a URL must begin with https:// or http://" in told
    assert "subscriptions.wiki.headers: the header Host is written by the server itself" in told
    assert "geheim" not in told


def test_secrets_may_stand_in_the_environment_or_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI_URL", "https://wiki.example.org/?key=geheim")
    (tmp_path / "token").write_text("Bearer geheim\n", encoding="utf-8")
    made = WebhookSettings.model_validate(
        {"type": "webhook", "url": {"env": "WIKI_URL"}, "headers": {"Authorization": {"file": "token"}}},
        context={"base_dir": tmp_path},
    )
    assert made.url.get_secret_value() == "https://wiki.example.org/?key=geheim"
    assert made.headers["Authorization"].get_secret_value() == "Bearer geheim"
