"""Writing JSON and text safely into HTML pages."""

import html
import json


def escape(value) -> str:
    """Text for HTML content or a double-quoted attribute."""
    return html.escape(str(value), quote=True)


def script_json(value) -> str:
    """JSON that can stand inside a script element: no character of it can end the element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
