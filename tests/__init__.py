"""The suite. It is run by ``make test``, against real servers that the fixtures start on loopback."""
