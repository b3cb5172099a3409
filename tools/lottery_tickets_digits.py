"""The digits that the library carries: an archive for Python, text for the explorable.

1,797 images of 8 x 8 pixels with values 0 to 16: the test part of "Optical Recognition of
Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998,
doi.org/10.24432/C50P49, licence CC BY 4.0), as scikit-learn carries it. They are shuffled once,
because the file is ordered by writer; the chapter and the explorable train on the first 1,000,
validate on the next 297 and test on the last 500. scikit-learn is needed only here and in no lock
file:

    pip install scikit-learn
    python -m tools.lottery_tickets_digits
"""

import itertools
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "tutorlib"
TARGET = PACKAGE / "explorables" / "_lottery-tickets-digits.js"
ARCHIVE = PACKAGE / "digits.npz"
LONGEST = 26
HEAD = """\
// Written by tools/lottery_tickets_digits.py: 1,797 images of handwritten digits, 8 x 8 pixels, in
// shuffled order. Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits",
// UCI Machine Learning Repository, 1998, doi.org/10.24432/C50P49, licence CC BY 4.0.
// pixels: A..P stand for the values 1 to 16, a..z for 1 to 26 zeros in a row; images follow each
// other row by row. labels: one figure an image.
"""


def encode(values):
    """Text for whole numbers 0 to 16: a capital letter each, a small letter for a run of zeros."""
    text = []
    for value, run in itertools.groupby(values):
        length = len(list(run))
        if value:
            text.append(chr(ord("A") + value - 1) * length)
        else:
            longest, rest = divmod(length, LONGEST)
            text.append("z" * longest + (chr(ord("a") + rest - 1) if rest else ""))
    return "".join(text)


def main():
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    pixels = encode(digits.data[order].astype(int).ravel().tolist())
    labels = "".join(map(str, digits.target[order]))
    text = f'{HEAD}const DIGITS = {{\n  pixels: "{pixels}",\n  labels: "{labels}",\n}};\n'
    TARGET.write_text(text, encoding="utf-8")
    images = digits.images[order].astype(np.uint8)
    np.savez_compressed(ARCHIVE, images=images, labels=digits.target[order].astype(np.uint8))
    print(f"{TARGET.name}: {len(text):,} bytes; {ARCHIVE.name}: {ARCHIVE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
