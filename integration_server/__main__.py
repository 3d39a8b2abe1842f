"""``python -m integration_server`` is the command line."""

from integration_server.cli import main

if __name__ == "__main__":
    main()
