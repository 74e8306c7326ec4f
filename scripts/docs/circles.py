"""Circles of imports between the files of a crate.

A parent and its children may name each other: a folder is one thing. Every other circle is reported.
"""

import rust
import tree


def sources():
    """Files by crate; tests, examples and build scripts are not looked at."""
    crates = {}
    for file in tree.files():
        if file.suffix == ".rs" and "src" in file.parts:
            crates.setdefault(file.parts[: file.parts.index("src")], []).append(file)
    return crates.values()


def closed():
    for files in sources():
        modules = {rust.module(file): file for file in files}
        graph = {module: edges(module, file, modules) for module, file in modules.items()}
        for circle in circles(graph):
            yield " <-> ".join(str(modules[module]) for module in sorted(circle))


def edges(module, file, modules):
    found = set()
    for path in rust.named(file):
        target = path
        while len(target) > 1 and target not in modules:
            target = target[:-1]
        if target in modules and not is_family(module, target):
            found.add(target)
    return found


def is_family(one, other):
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def circles(graph):
    """Strongly connected components with more than one member (Tarjan)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = set()
            while True:
                member = stack.pop()
                on_stack.discard(member)
                component.add(member)
                if member == node:
                    break
            if len(component) > 1:
                found.append(component)

    for node in graph:
        if node not in index:
            visit(node)
    return found
