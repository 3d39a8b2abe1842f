"""IPS Connect: one set of accounts for a network of forums and whatever else speaks the protocol."""
