"""What goes into the package; its name, version and requirements stand in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

#: Top-level folders that administrators copy from. Outside the package, so that they are met in the tree; within it in
#: a wheel, since nothing else arrives there.
EXAMPLES = ("plugins", "config.d")


class BuildWithExamples(build_py):
    """Puts the examples into ``integration_server/examples``."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "integration_server", "examples")
        # What an earlier build left there may not be in the tree any more.
        shutil.rmtree(target, ignore_errors=True)
        for folder in EXAMPLES:
            left_out = shutil.ignore_patterns("__pycache__", "*.py[cod]", "*.db-*", ".*")
            shutil.copytree(folder, target / folder, ignore=left_out)


setup(
    packages=find_packages(include=["integration_server", "integration_server.*"]),
    # Templates, styles, scripts, sample data, migration templates: whatever lies beside the modules that use it.
    package_data={"": ["py.typed", "*.mako", "*.toml", "*.csv", "*.sql", "templates/**/*", "static/**/*", "data/**/*"]},
    cmdclass={"build_py": BuildWithExamples},
    zip_safe=False,
)
