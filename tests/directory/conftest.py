"""The fixtures of ``house``."""

from tests.directory.house import clock, empty_store, house, store

__all__ = ["clock", "empty_store", "house", "store"]
