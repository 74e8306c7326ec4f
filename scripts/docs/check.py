"""Runs every check of the documents and of the structure that they describe. Called by scripts/check-docs."""

import os
import sys
from pathlib import Path

import circles
import directions
import folders
import pages

CHECKS = [
    ("README.md and ARCHITECTURE.md are short", pages.sizes),
    ("pages: lines and table cells are short", pages.widths),
    ("pages: every path that they name exists", pages.paths),
    ("pages: every link leads somewhere", pages.links),
    ("pages: every page below docs/ is linked to", pages.orphans),
    ("glossary: its types exist", pages.glossary),
    ("directions: crates depend on each other as ARCHITECTURE.md states", directions.crates),
    ("directions: modules name each other as ARCHITECTURE.md states", directions.modules),
    ("directions: ARCHITECTURE.md states every one of them, and no other", directions.stated),
    ("no circle of imports", circles.closed),
    (f"at most {folders.LIMIT} source files beside each other", folders.crowded),
]


def main():
    os.chdir(Path(__file__).resolve().parents[2])
    failed = False
    for title, check in CHECKS:
        problems = sorted(set(check()))
        failed = failed or bool(problems)
        print("FAILED " if problems else "ok     ", title)
        for problem in problems:
            print("           ", problem)
    return 1 if failed else 0


sys.exit(main())
