"""Draw the picture that is shown beside a link to the book: python -m tools.social_card

It is committed, because drawing it needs a browser and a build should not.
"""

from tools.browser import launched
from tools.chapters import ROOT

TARGET = ROOT / "book" / "_static" / "social-card.png"
SIZE = {"width": 1200, "height": 630}  # what the large sites ask for

# Sums of a few waves: the first chapter's subject, in the colours of the book's figures.
DRAWING = """<body style="margin:0"><svg xmlns="http://www.w3.org/2000/svg"
  width="1200" height="630"
  font-family="system-ui, 'Noto Sans', 'Nimbus Sans', 'DejaVu Sans', sans-serif">
<rect width="1200" height="630" fill="#14181b"/>
<g fill="none" stroke-width="4" id="waves"></g>
<text x="80" y="170" font-size="92" font-weight="700" fill="#e4e7e5">Papers in Motion</text>
<text x="80" y="238" font-size="38" fill="#a3adb2">Deep-learning papers you can run, scrub
and break</text></svg>
<script>
  const waves = document.getElementById('waves');
  const height = (x, n) => Array.from({length: n}, (_, k) => k + 1)
    .reduce((sum, k) => sum + Math.cos(k * (x - 640) / 150) / n, 0);
  ['#3b4b54', '#56707f', '#6cb8e0', '#eebd5c'].forEach((stroke, i) => {
    const points = Array.from({length: 601}, (_, j) => [2 * j, 520 - 190 * height(2 * j, i + 2)]);
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
    line.setAttribute('points', points.join(' '));
    line.setAttribute('stroke', stroke);
    waves.append(line);
  });
</script></body>"""


def main():
    with launched() as browser:
        page = browser.new_page(viewport=SIZE)
        page.set_content(DRAWING)
        page.screenshot(path=TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
