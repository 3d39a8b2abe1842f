"""How Sphinx makes the HTML of these pages: ``make docs``.

The pages are also read as they are, on a git host. So they link to each other by file: `page.rst <page.rst>`_. Here
such links become links of the HTML with the page's title, and one that leads nowhere is a warning.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

import integration_server

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)

project = "integration-server"
author = "the authors of integration-server"
version = release = integration_server.__version__

exclude_patterns = ["_build"]
# What stands after a plain "::" is mostly a shell's, and never Python.
highlight_language = "none"
# --option is no dash, and what is quoted may be copied.
smartquotes = False

html_theme = "alabaster"
html_theme_options = {
    "description": "The directory you have, for MailStore and others",
    "fixed_sidebar": True,
    # Samples have lines of up to 120 characters.
    "page_width": "1320px",
    "body_max_width": "1000px",
    "sidebar_width": "260px",
    "font_size": "16px",
    "code_font_size": "0.8em",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False


class LinksByFile(SphinxPostTransform):
    """Turns links to .rst files into links to their pages, and warns of those that lead to no page or title."""

    # Before Sphinx resolves its own kinds of references.
    default_priority = 5

    def run(self, **_: Any) -> None:
        for reference in self.document.findall(nodes.reference):
            path, _hash, anchor = reference.get("refuri", "").partition("#")
            if path.endswith(".rst") and ":" not in path:
                self._lead(reference, self._page(reference, path), anchor)

    def _page(self, reference: nodes.reference, path: str) -> str | None:
        """The page that is meant, seen from the file with the link: the changelog comes from another folder."""
        source = reference.source or reference.parent.source or self.env.doc2path(self.env.docname)
        return self.env.path2doc(str((Path(source).parent / path).resolve()))

    def _lead(self, reference: nodes.reference, page: str | None, anchor: str) -> None:
        if page not in self.env.found_docs:
            logger.warning("there is no page %s", reference["refuri"], location=reference)
            return
        if anchor and anchor not in self.env.get_doctree(page).ids:
            logger.warning("the page has no %s", reference["refuri"], location=reference)
        if reference.astext() == reference["refuri"]:
            reference.clear()
            reference += nodes.Text(self.env.titles[page].astext())
        target = self.app.builder.get_relative_uri(self.env.docname, page)
        reference["refuri"] = f"{target}#{anchor}" if anchor else target
        reference["internal"] = True


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(LinksByFile)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
