"""What authors and tests do with chapters: run them, stamp them, check them.

Readers never need this package, so it is not part of the wheel.
"""
