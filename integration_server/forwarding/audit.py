"""Tells the audit hooks, and the log that the dashboard shows, what happened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from integration_server.sdk.errors import StoreUnavailable
from integration_server.store.audit_log import AuditLog

logger = logging.getLogger(__name__)

Hook = Callable[[str, str, Mapping[str, object]], None]


class Audit:
    """All ``audit`` hooks and the log as one. What they raise is logged and changes nothing."""

    def __init__(self, audits: Sequence[Hook] = (), log: AuditLog | None = None) -> None:
        self._audits = tuple(audits)
        self._log = log

    def tell(self, action: str, subject: str, details: Mapping[str, object], actor: str | None = None) -> None:
        """Say what happened, after it did. See the hook ``audit`` for the actions; never put a secret into
        ``details``. ``actor`` is who did it (``admin:ann``, ``token:wiki``, ``command line``), None for the server."""
        if self._log is not None:
            try:
                self._log.add(action, subject, actor, details)
            except StoreUnavailable as exc:
                logger.warning("%s of %s is missing in the audit log: %s", action, subject, exc)
        for hook in self._audits:
            try:
                hook(action=action, subject=subject, details=details)  # type: ignore[call-arg]
            except Exception:
                logger.exception("an audit hook failed on %s of %s", action, subject)
