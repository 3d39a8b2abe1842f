"""Hands what is in the journal to whoever subscribed, in order, through crashes."""
