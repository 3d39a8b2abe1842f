"""A consumer for tests: writes what it is handed into a file, a line for each event, unless another file says no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from integration_server import (
    ConfigError,
    Consumer,
    ConsumerContext,
    ConsumerGone,
    ConsumerSettings,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryFailed,
    DeliveryRefused,
    Receipt,
    Secret,
    Signing,
    hookimpl,
)

_FAILURES = {
    "failed": DeliveryFailed,
    "unavailable": ConsumerUnavailable,
    "refused": DeliveryRefused,
    "gone": ConsumerGone,
}


class NotebookSettings(ConsumerSettings):
    file: str = Field(description="written to")
    key: Secret | None = Field(default=None, description="a secret")
    mood_file: str | None = Field(
        default=None, description="holds failed, unavailable, refused or gone, or is not there"
    )


class Notebook(Consumer, Signing):
    type: ClassVar[str] = "notebook"
    Settings = NotebookSettings
    is_registrable = True

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        assert isinstance(settings, NotebookSettings)
        if settings.file == settings.mood_file:
            raise ConfigError("file and mood_file must be two")
        self._file = context.base_dir / settings.file
        self._mood = context.base_dir / settings.mood_file if settings.mood_file is not None else None

    @classmethod
    def new_secret(cls) -> str:
        return "note_" + "a" * 24

    @classmethod
    def check_secret(cls, secret: str) -> None:
        if not secret.startswith("note_"):
            raise ValueError("must begin with note_")

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        mood = _read(self._mood) if self._mood is not None else ""
        if mood:
            raise _FAILURES[mood](f"the notebook is {mood}", status=500)
        with self._file.open("a", encoding="utf-8") as file:
            for event in delivery.events:
                line = {"type": event.type, "person": event.person_id, "serial": event.serial, "id": event.id}
                file.write(json.dumps({**line, "backend": event.backend, "secrets": list(delivery.secrets)}) + "\n")
        return Receipt(200, "written")

    def close(self) -> None:
        pass


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


@hookimpl
def register_consumers() -> list[type[Consumer]]:
    return [Notebook]
