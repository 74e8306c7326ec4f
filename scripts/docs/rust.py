"""The paths that a Rust source file names, from its `use` lines and from its code. No parser: comments and strings
are taken out, braces of `use` trees are spread, and `self`, `super` and `crate` are resolved by the file's place."""

import functools
import re
from pathlib import Path

NOISE = re.compile(
    r"""//[^\n]*                            # line comments, doc comments included
      | /\*.*?\*/                           # block comments
      | r(\#*)".*?"\1                       # raw strings
      | b?"(?:\\.|[^"\\])*"                 # strings
      | '(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])' # characters""",
    re.VERBOSE | re.DOTALL,
)
USE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", re.MULTILINE)
INLINE = re.compile(r"(?<![\w:])(?:::)?((?:[A-Za-z_]\w*)(?:::[A-Za-z_]\w*)+)")


@functools.cache
def code(file):
    return NOISE.sub(" ", file.read_text())


@functools.cache
def module(file):
    """`libs/x/src/a/b.rs` -> ("crate", "a", "b")."""
    parts = file.parts[file.parts.index("src") + 1 :] if "src" in file.parts else file.parts[-1:]
    names = [*parts[:-1], Path(parts[-1]).stem]
    if names[-1] in ("mod", "lib", "main"):
        names.pop()
    return ("crate", *names)


@functools.cache
def named(file):
    """Every path that the file names, as tuples that begin with a crate's name or with "crate"."""
    text = code(file)
    found = set()
    for tree in USE.findall(text):
        found.update(spread(tree))
    for path in INLINE.findall(USE.sub(" ", text)):
        found.add(tuple(path.split("::")))
    return {resolved for path in found if (resolved := resolve(path, module(file)))}


def spread(tree):
    """`a::{b, c::{d, e}}` -> (a, b), (a, c, d), (a, c, e); names after `as` are dropped."""
    tree = tree.strip().removeprefix("::")
    head, brace, rest = tree.partition("{")
    if not brace:
        yield tuple(part.strip() for part in re.sub(r"\s+as\s+\w+", "", tree).split("::"))
        return
    prefix = tuple(part.strip() for part in head.split("::") if part.strip())
    depth, item = 0, ""
    for character in rest:
        if character == "}" and depth == 0:
            break
        if character == "," and depth == 0:
            yield from (prefix + path for path in spread(item) if item.strip())
            item = ""
            continue
        depth += (character == "{") - (character == "}")
        item += character
    if item.strip():
        yield from (prefix + path for path in spread(item))


def resolve(path, here):
    path = [part for part in path if part not in ("", "*")]
    base = list(here)
    if path and path[0] == "self":
        path.pop(0)
    elif path and path[0] == "super":
        while path and path[0] == "super":
            path.pop(0)
            if len(base) > 1:
                base.pop()
    else:
        base = []
    if path and path[-1] == "self":
        path.pop()
    return tuple(base + path) if base or path else None
