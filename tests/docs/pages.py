"""The pages, and what is shown in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.rst", ROOT / "CHANGELOG.rst", *DOCS.glob("*.rst")])


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of one language, as they are when they are copied."""
    found = re.findall(
        rf"^( *)\.\. code-block:: {language}\n\n((?:\1    .*\n|\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [re.sub(rf"^{indent}    ", "", block, flags=re.MULTILINE) for indent, block in found]
