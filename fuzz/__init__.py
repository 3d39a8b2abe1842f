"""Fuzzing: whatever bytes come, each parser and each form answers or refuses. ``python -m fuzz`` says with what."""
