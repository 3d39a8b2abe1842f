"""What a gateway's settings ask for so that people of other backends have accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from integration_server import ConfigError, ImpliedSubscription
from integration_server.builtin.ips_connect.settings import GatewaySettings

_KEY = "propagate"


def subscriptions(settings: GatewaySettings, backend_types: Mapping[str, str]) -> Sequence[ImpliedSubscription]:
    """One for each backend whose people have accounts. Raises ConfigError."""
    sources = settings.propagate
    if settings.learn_passwords and not sources:
        raise ConfigError("learn_passwords: propagate names no backend, so there is nobody to learn them from")
    if len(set(sources)) < len(sources):
        raise ConfigError(f"{_KEY}: names a backend twice: {', '.join(sources)}")
    own = [name for name in settings.backends if backend_types.get(name) == "ips_connect"]
    if own and own[0] in sources:
        raise ConfigError(f"{_KEY}: {own[0]} is where the accounts are; name others")
    if len(own) != 1:
        # The frontend itself says what it wants.
        return ()
    return [ImpliedSubscription(source, _KEY, _values(source, own[0], settings)) for source in sources]


def _values(source: str, accounts: str, settings: GatewaySettings) -> Mapping[str, object]:
    return {
        "type": "ips_connect_people",
        "backend": source,
        "accounts": accounts,
        "sources": list(settings.propagate),
        "names": settings.propagate_names,
        "deletions": settings.propagate_deletions,
        "link_accounts": settings.link_accounts,
    }
