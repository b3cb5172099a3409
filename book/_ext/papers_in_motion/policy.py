"""The Content-Security-Policy of every page.

The book runs scripts of its own and nothing else: not from another site, not from text that found
its way into a page. The few inline scripts of the theme are allowed one by one, by their hashes.
"""

import base64
import hashlib

from bs4 import BeautifulSoup

DIRECTIVES = {
    "default-src": "'none'",
    # blob: carries explorables, which are stored in the page so that they also run from a file.
    "script-src": "'self' blob:",
    "worker-src": "blob:",
    # Plotly and MathJax write style elements and attributes.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
}
SCRIPT_TYPES = (None, "", "text/javascript", "module")


def policy(page: BeautifulSoup) -> str:
    """The policy under which `page` runs its own inline scripts and no other."""
    inline = [
        script.string or ""
        for script in page.find_all("script", src=False)
        if script.get("type") in SCRIPT_TYPES
    ]
    hashes = sorted({f"'sha256-{digest(text)}'" for text in inline})
    sources = DIRECTIVES | {"script-src": " ".join([DIRECTIVES["script-src"], *hashes])}
    return "; ".join(f"{name} {value}" for name, value in sources.items())


def digest(text: str) -> str:
    """SHA-256 in the form that a policy quotes."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def add_policy(page: BeautifulSoup) -> None:
    """Put the policy before everything that it governs."""
    meta = page.new_tag("meta", content=policy(page))
    meta["http-equiv"] = "Content-Security-Policy"
    page.head.find("meta", charset=True).insert_after(meta)
