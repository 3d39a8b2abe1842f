"""The server under a mixed load for long: what must stay flat, and that nothing is lost meanwhile."""
