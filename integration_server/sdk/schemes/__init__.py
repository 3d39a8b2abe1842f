"""How each password scheme compares; ``sdk.passwords`` is the door to it."""
