"""Notices what changed in a backend, judges it, and writes it into the journal."""
