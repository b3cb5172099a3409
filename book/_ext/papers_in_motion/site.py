"""What the site needs beside its pages: an address, a map, a way in, and a way back.

The address under which the book is published is not known here. Whoever publishes it sets the
environment variable SITE_URL (or `html_baseurl`), and then pages name their canonical address, the
map of the site is written, and social cards have a picture. Without it nothing of this appears.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

from .chapters import ChapterError
from .html import escape
from .theme import is_the_site

ROOT_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={target}"></head>
<body><main><h1>{title}</h1><p><a href="{target}">Open the book</a></p></main></body></html>
"""

# A host shows this page at any depth, so its addresses start at the root.
MISSING_PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Page not found - {title}</title>
<link rel="icon" href="{root}_static/favicon.svg">
<link rel="stylesheet" href="{root}_static/book.css">
<script>document.documentElement.dataset.theme = localStorage.getItem("theme")
  || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");</script>
</head><body class="missing-page"><main class="bd-article">
<h1>This page does not exist</h1>
<p>The address may have changed, or have been cut short on its way to you.</p>
<ul><li><a href="{root}{target}">The first page of {title}</a></li>
{links}
<li><a href="{root}search.html">Search the book</a></li></ul>
</main></body></html>
"""


def read_address(app: Sphinx, config: Config) -> None:
    """Take the site's address from the environment."""
    address = os.environ.get("SITE_URL") or config.html_baseurl
    if address and not urlsplit(address).scheme.startswith("http"):
        raise ConfigError(f"SITE_URL is {address!r}; it must be a full address, https://...")
    config.html_baseurl = address and address.rstrip("/") + "/"


def write_site_files(app: Sphinx, exception: Exception | None) -> None:
    """Write the redirect at the root, the page for wrong addresses, and the map of the site."""
    if exception is not None or not is_the_site(app):
        return
    base, out = app.config.html_baseurl, Path(app.outdir)
    target = app.builder.get_target_uri(app.config.root_doc)
    title = escape(app.config.html_title)
    names = sorted(app.env.found_docs)
    chapters = [name for name in names if name.startswith("notebooks/")]
    if not chapters:
        raise ChapterError("The book has no chapter: _toc.yml names no file in notebooks/.")
    root = urlsplit(base).path or "/"
    links = "\n".join(
        f'<li><a href="{root}{app.builder.get_target_uri(name)}">'
        f"{escape(app.env.titles[name].astext())}</a></li>"
        for name in chapters
    )
    files = {
        "index.html": ROOT_PAGE.format(title=title, target=target),
        "404.html": MISSING_PAGE.format(title=title, target=target, root=root, links=links),
    }
    if base:
        files["sitemap.xml"] = sitemap([base + app.builder.get_target_uri(name) for name in names])
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")


def sitemap(addresses: list[str]) -> str:
    """The map of a site for search engines."""
    urls = "".join(f"<url><loc>{escape(address)}</loc></url>\n" for address in addresses)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )
