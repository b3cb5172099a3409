"""What a link to a page says of it where links are shown: title, description, picture."""

import textwrap
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from .chapters import FOLDER, load
from .html import escape

PICTURE = "_static/social-card.png"  # drawn by tools/social_card.py
LENGTH = 200  # characters of a description that search engines show


def add_card(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Add description and card to a page's head; pages without a text of their own have none."""
    if doctree is None:
        return
    facts = {
        "og:type": "article" if pagename.startswith(f"{FOLDER}/") else "website",
        "og:site_name": app.config.html_title,
        "og:title": app.env.titles[pagename].astext(),
        "og:description": description(app, pagename, doctree),
    }
    if app.config.html_baseurl:  # a picture without a full address is shown nowhere
        facts |= {
            "og:url": app.config.html_baseurl + app.builder.get_target_uri(pagename),
            "og:image": app.config.html_baseurl + PICTURE,
            "og:image:width": "1200",
            "og:image:height": "630",
            "og:image:alt": f"{app.config.html_title}, above waves that add up to a peak",
            "twitter:card": "summary_large_image",
        }
    tags = [f'<meta name="description" content="{escape(facts["og:description"])}">']
    tags += [f'<meta property="{name}" content="{escape(value)}">' for name, value in facts.items()]
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def description(app: Sphinx, pagename: str, doctree: nodes.document) -> str:
    """A chapter's claim, or the first paragraph of another page."""
    if pagename.startswith(f"{FOLDER}/"):
        return load(Path(app.srcdir) / f"{pagename}.ipynb").fact("claim")
    text = next((node.astext() for node in doctree.findall(nodes.paragraph)), pagename)
    return textwrap.shorten(" ".join(text.split()), LENGTH, placeholder=" …")
