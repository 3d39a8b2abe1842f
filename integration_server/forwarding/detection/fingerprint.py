"""Of the settings that decide who is seen, and how."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr

from integration_server.directory.source import Source
from integration_server.sdk.settings import BackendSettings

#: Of every backend: the chain of logins, limits, and what is told by the rules below.
_OF_NO_CONSEQUENCE = frozenset(BackendSettings.model_fields) - {"type", "filter", "domains", "pattern"}


def fingerprint(source: Source) -> str:
    """Changes with filter, base, mapping, hooks and ``keep_memberships``; not with limits, time-outs, passwords or
    ``sync``."""
    settings = source.settings
    # A setting that a new version brings must not hold everybody's first changes after an update.
    known = settings.model_dump(mode="json", exclude=set(_OF_NO_CONSEQUENCE), exclude_defaults=True)
    if settings.keep_memberships:
        # Only then, so that the fingerprints of earlier versions hold.
        known["keep_memberships"] = True
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name.endswith("_seconds"):
            known.pop(name, None)
        elif isinstance(value, SecretStr) and name in known:
            known[name] = _place(value.get_secret_value())
    rules = {name: rule.model_dump(mode="json", exclude_defaults=True) for name, rule in source.mapper.rules.items()}
    text = orjson.dumps([known, rules, sorted(source.hooks)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def _place(secret: str) -> str:
    """Where a URL leads to, without who goes there; of any other secret nothing."""
    if "://" not in secret:
        return ""
    try:
        parts = urlsplit(secret)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return ""
