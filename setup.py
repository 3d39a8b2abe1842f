"""What goes into the package; its name, version and requirements stand in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["integration_server", "integration_server.*"]),
    # Templates, styles, scripts, sample data, migration templates: whatever lies beside the modules that use it.
    package_data={"": ["py.typed", "*.mako", "*.toml", "*.csv", "*.sql", "templates/**/*", "static/**/*", "data/**/*"]},
    zip_safe=False,
)
