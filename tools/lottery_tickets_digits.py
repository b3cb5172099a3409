"""The digits that the library carries: an archive for Python, text for the explorable.

1,797 images of 8 x 8 pixels with values 0 to 16: the test part of "Optical Recognition of
Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998,
doi.org/10.24432/C50P49, licence CC BY 4.0), as scikit-learn carries it. They are shuffled once,
because the file is ordered by writer; the chapter and the explorable train on the first 1,000,
validate on the next 297 and test on the last 500. The text is written from what `tutorlib.digits`
returns, so both have the same images:

    python -m tools.lottery_tickets_digits            # the text
    python -m tools.lottery_tickets_digits --archive  # the archive, then the text

Only the archive needs scikit-learn, which is in no lock file: pip install scikit-learn.
"""

import itertools
import sys

import numpy as np

import tutorlib as tl
from tools.chapters import ROOT

PACKAGE = ROOT / "src" / "tutorlib"
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


def text():
    """The module of the explorable that holds the digits."""
    images, labels = tl.digits()
    pixels, figures = encode(images.ravel().tolist()), "".join(map(str, labels))
    return f'{HEAD}const DIGITS = {{\n  pixels: "{pixels}",\n  labels: "{figures}",\n}};\n'


def write_archive():
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    arrays = {"images": digits.images[order], "labels": digits.target[order]}
    np.savez_compressed(ARCHIVE, **{name: a.astype(np.uint8) for name, a in arrays.items()})
    print(f"{ARCHIVE.name}: {ARCHIVE.stat().st_size:,} bytes")


def main(archive_too):
    if archive_too:
        write_archive()
    TARGET.write_text(text(), encoding="utf-8")
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main("--archive" in sys.argv[1:])
