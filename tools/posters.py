"""Take the pictures that stand in for explorables before their script runs, and without it.

Run by `make posters`. Each explorable is opened in headless Chromium in its default state, left to
come to rest, and photographed in light and dark: the whole frame, and its main picture, the element
marked data-thumbnail, as the landing page's card. posters.json keeps the sizes, and a hash of the
module by which a test notices that a picture is out of date.
"""

import base64
import hashlib
import json
import sys
import tempfile
from pathlib import Path

from tools import browser as browsers
from tools.chapters import ROOT
from tools.explorable_page import write_page
from tutorlib import explorables

FOLDER = ROOT / "book" / "_static" / "posters"
LIST = FOLDER / "posters.json"
WIDTH = 800  # CSS pixels of the column in which the book shows an explorable
QUALITY = 0.8
TO_WEBP = """async ([png, quality]) => {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality });
  return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
}"""


def fingerprint(slug: str) -> str:
    """Hash of all that an explorable's picture shows."""
    return hashlib.sha256(explorables.source(slug).encode()).hexdigest()


def out_of_date() -> list[str]:
    """The explorables whose pictures are missing or were taken of another version."""
    listed = json.loads(LIST.read_text(encoding="utf-8")) if LIST.exists() else {}
    return [
        slug
        for slug in explorables.slugs()
        if listed.get(slug, {}).get("module") != fingerprint(slug)
    ]


def photograph(page, element, path: Path) -> list[int]:
    """Write a WebP picture of the element; return its width and height in CSS pixels."""
    png = base64.b64encode(element.screenshot()).decode()
    path.write_bytes(base64.b64decode(page.evaluate(TO_WEBP, [png, QUALITY])))
    box = element.bounding_box()
    return [round(box["width"]), round(box["height"])]


def take(browser, slug: str) -> dict:
    """Take all pictures of one explorable; return its entry in posters.json."""
    entry = {"module": fingerprint(slug)}
    with tempfile.TemporaryDirectory() as folder:
        address = write_page(slug, Path(folder), styled=True).as_uri()
        for theme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": WIDTH, "height": 1200}, reduced_motion="reduce"
            )
            page = context.new_page()
            page.goto(address)
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
            page.wait_for_selector(".frame[data-settled]", timeout=900_000)
            places = {"poster": ".frame", "thumbnail": ".frame [data-thumbnail]"}
            for kind, selector in places.items():
                path = FOLDER / f"{slug}-{kind}-{theme}.webp"
                entry[kind] = photograph(page, page.locator(selector), path)
            context.close()
    return entry


def main() -> None:
    """Take what is out of date."""
    FOLDER.mkdir(exist_ok=True)
    listed = json.loads(LIST.read_text(encoding="utf-8")) if LIST.exists() else {}
    stale = out_of_date()
    if stale:
        try:
            with browsers.launched() as browser:
                for slug in stale:
                    listed[slug] = take(browser, slug)
                    print(f"took the pictures of {slug}")
        except browsers.NotFound as missing:
            sys.exit(str(missing))
    listed = {slug: listed[slug] for slug in explorables.slugs()}
    LIST.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    print("all posters are up to date")


if __name__ == "__main__":
    main()
