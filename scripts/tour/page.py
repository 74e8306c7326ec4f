"""A page whose commands are run: its ```sh blocks, and the output that it prints after each.

A block that starts with ```sh is run; an output block (```text or ```json) that follows it, with nothing but blank
lines between, is what the command prints. A command without an output block prints nothing. Blocks with other names
(```shell, ```console) are for the reader alone.
"""

import re
from dataclasses import dataclass
from pathlib import Path

# Ids, times and keys differ from run to run; both sides of a comparison are passed through this table.
VARIABLE = [
    # The byte order mark of CSV files.
    (re.compile("\ufeff"), ""),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{24}\b"), "<id>"),
    (re.compile(r"\b(dprov|mdom|req|mbx|whk|evt)_[a-z0-9]{20,}\b"), r"<\1>"),
    (re.compile(r"(sendmux-verify=)[0-9a-f]{32}"), r"\1<hex>"),
    (re.compile(r"(\"latency_ms\": )\d+"), r"\1<number>"),
    (re.compile(r"^Date: .*$", re.MULTILINE), "Date: <time>"),
]


@dataclass
class Block:
    """A command, the output that the page prints, and where both stand."""

    heading: str
    line: int
    command: str
    output: str
    # Lines of the output block, fences excluded; None where there is no output block.
    output_lines: tuple[int, int] | None


def read(path):
    """The blocks of a page, in order."""
    lines = Path(path).read_text().splitlines()
    blocks, heading, fence, number = [], "", None, 0
    while number < len(lines):
        line = lines[number]
        if fence := re.fullmatch(r"```(\w*)", line):
            end = lines.index("```", number + 1)
            body = "\n".join(lines[number + 1 : end])
            if fence[1] == "sh":
                blocks.append(Block(heading, number + 1, body, "", None))
            elif fence[1] in ("text", "json") and blocks and follows(lines, number):
                blocks[-1].output = body
                blocks[-1].output_lines = (number + 1, end)
            number = end
        elif title := re.match(r"#+ (.*)", line):
            heading = title[1]
        number += 1
    return blocks


def follows(lines, number):
    """True if the block that starts here comes directly after a ```sh block."""
    before = number - 1
    while before >= 0 and not lines[before].strip():
        before -= 1
    if before < 0 or lines[before] != "```":
        return False
    opening = max(i for i in range(before) if re.fullmatch(r"```\w+", lines[i]))
    return lines[opening] == "```sh"


def same(printed, expected, ports):
    """True if two outputs differ in nothing but ids, times, keys and ports."""
    return normal(printed, ports) == normal(expected, ports)


def with_ports(text, ports):
    """`ports` maps those of this run to those that the pages print."""
    for actual, usual in ports.items():
        text = re.sub(rf"\b{actual}\b", usual, text)
    return text


def normal(text, ports):
    text = with_ports(text, ports)
    for pattern, name in VARIABLE:
        text = pattern.sub(name, text)
    return text.strip()


def rewrite(path, outputs):
    """Puts what was printed into the page. `outputs` has one text for each block."""
    lines = Path(path).read_text().splitlines()
    for block, output in reversed(list(zip(read(path), outputs, strict=True))):
        if block.output_lines:
            begin, end = block.output_lines
            lines[begin:end] = output.strip("\ufeff\n ").splitlines()
    Path(path).write_text("\n".join(lines) + "\n")
