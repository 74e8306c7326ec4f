"""Folders stay small enough to be read at one glance."""

from collections import Counter

import tree

LIMIT = 15
SOURCES = {".rs", ".py", ".sql"}


def crowded():
    beside = Counter(file.parent for file in tree.files() if file.suffix in SOURCES)
    for folder, count in beside.items():
        if count > LIMIT:
            yield f"{folder} has {count} source files"
