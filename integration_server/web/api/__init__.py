"""The REST API under /api/v1: one module per noun, each with its models and its operations."""

from __future__ import annotations

from integration_server.web.api.blueprint import PREFIX, create_api
from integration_server.web.api.facts import ApiFacts, ApiLimits, BackendFacts
from integration_server.web.api.receivers import Receivers

__all__ = ["PREFIX", "ApiFacts", "ApiLimits", "BackendFacts", "Receivers", "create_api"]
