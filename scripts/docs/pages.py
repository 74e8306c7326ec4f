"""The Markdown pages: sizes, paths and links."""

import functools
import itertools
import re
from pathlib import Path
from urllib.parse import unquote

import tree

# Bytes. Somebody reads them before anything else.
SIZES = {"README.md": 8 * 1024, "ARCHITECTURE.md": 12 * 1024}
COLUMNS = 120
# Characters of a table cell, without the targets of its links.
CELL = 120
# The first line of a page that the code writes.
GENERATED = "<!-- generated"
# Paths of the past stay in the list of changes.
HISTORY = Path("CHANGELOG.md")
PATH = re.compile(r"[\w.\-{},*]+(/[\w.\-{},*]+)*/?")
EXTENSIONS = {".rs", ".py", ".md", ".toml", ".yaml", ".yml", ".sql", ".csv", ".conf", ".cf"}


@functools.cache
def all_pages():
    return [file for file in tree.files() if file.suffix == ".md"]


@functools.cache
def lines(page):
    """(number, text, inside a fenced block) of each line."""
    listed, fenced = [], False
    for number, text in enumerate(page.read_text().splitlines(), 1):
        fence = text.lstrip().startswith("```")
        listed.append((number, text, fenced or fence))
        fenced ^= fence
    return listed


def is_generated(page):
    return page.read_text().startswith(GENERATED)


def sizes():
    for name, limit in SIZES.items():
        size = Path(name).stat().st_size
        if size > limit:
            yield f"{name} has {size} bytes; {limit} are the limit"


def widths():
    for page in all_pages():
        if is_generated(page):
            continue
        for number, text, fenced in lines(page):
            row = text.startswith("|")
            if len(text) > COLUMNS and not fenced and not row:
                yield f"{page}:{number} is {len(text)} columns wide"
            if row and not fenced:
                cells = re.split(r"(?<!\\)\|", re.sub(r"\]\([^)]*\)", "]", text))
                for cell in cells:
                    if len(cell.strip()) > CELL:
                        yield f"{page}:{number} has a paragraph in a table cell: {cell.strip()[:40]}..."


def paths():
    """Code spans that look like a path of this repository. A line that ends in a number or an item is cut off."""
    first = {file.parts[0] for file in tree.files()}
    names = {file.name for file in tree.files()}
    for page in all_pages():
        if page == HISTORY:
            continue
        for number, text, fenced in lines(page):
            if fenced:
                continue
            for span in re.findall(r"`([^`]+)`", text):
                span = re.sub(r"(::\w+)+$", "", span)
                if not PATH.fullmatch(span):
                    continue
                if "/" in span.rstrip("/") and span.split("/")[0] in first or span.rstrip("/") in first:
                    missing = [p for p in spread(span) if not any_exists(p)]
                elif "/" not in span and Path(span).suffix in EXTENSIONS and "*" not in span:
                    missing = [] if names.intersection(spread(span)) else [span]
                else:
                    continue
                for path in missing:
                    yield f"{page}:{number} names {path}, which does not exist"


def spread(path):
    """a/{b,c}/d -> a/b/d, a/c/d"""
    parts = [part.split(",") for part in re.split(r"[{}]", path)]
    return ["".join(choice) for choice in itertools.product(*parts)]


def any_exists(path):
    if "*" in path:
        return any(file.match(path) for file in tree.files())
    return tree.exists(Path(path))


def links():
    for page in all_pages():
        for number, text, fenced in lines(page):
            if fenced:
                continue
            text = re.sub(r"`[^`]*`", lambda span: "x" * len(span[0]), text)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = unquote(target).partition("#")
                path = resolve(page.parent / file) if file else page
                if path is None or not tree.exists(path):
                    yield f"{page}:{number} links to {target}, which does not exist"
                elif anchor and (path.suffix != ".md" or anchor not in anchors(path)):
                    yield f"{page}:{number} links to {target}; {path} has no such heading"


def resolve(path):
    """The path from the root, or None for one outside."""
    absolute = (Path.cwd() / path).resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else None


@functools.cache
def anchors(page):
    """As GitHub makes them: lower case, punctuation dropped, spaces to hyphens; a repeated one gets a number."""
    made, seen = set(), {}
    for _, text, fenced in lines(page):
        heading = re.match(r"#{1,6} (.*)", text)
        if fenced or not heading:
            continue
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        made.add(f"{slug}-{count}" if count else slug)
    return made


def orphans():
    """Pages below docs/ that no other page links to."""
    linked = set()
    for page in all_pages():
        for _, text, fenced in lines(page):
            for target in [] if fenced else re.findall(r"\]\(([^)#\s]+)", text):
                linked.add(resolve(page.parent / unquote(target)))
    for page in all_pages():
        if page.is_relative_to("docs") and page not in linked:
            yield f"no page links to {page}"
