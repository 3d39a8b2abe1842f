"""Every fault at every directory and receiver, on the real server: what is answered, and what is left behind."""
