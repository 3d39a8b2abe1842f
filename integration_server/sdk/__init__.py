"""What plugins see. Import it from ``integration_server``."""
