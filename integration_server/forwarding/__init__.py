"""Noticing changes in directories, and telling everybody who asked, in order, through crashes."""
