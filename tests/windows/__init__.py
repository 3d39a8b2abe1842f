"""The wheel on Windows, as far as Wine is Windows: ``make test-windows``. Not part of ``make test``."""
