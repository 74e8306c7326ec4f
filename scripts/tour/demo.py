"""Called by scripts/demo: starts the playground and Mailmoor, walks docs/tour.md, and leaves all running."""

import argparse
import difflib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

import page
import servers
import walk

ROOT = Path(__file__).resolve().parents[2]
TOUR = "docs/tour.md"
# Every page whose commands CI runs.
PAGES = ["README.md", TOUR]


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--no-tour", action="store_true", help="start everything, and walk nothing")
    parser.add_argument("--check", action="store_true", help=f"run the commands of {', '.join(PAGES)} and compare")
    parser.add_argument("--update", action="store_true", help="the same, and write what was printed into the pages")
    parser.add_argument("--programs", type=Path, default=ROOT / "target/debug", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # Also where a shell has it ignored, as for a job in the background.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    try:
        if arguments.check or arguments.update:
            return check(arguments)
        return demonstrate(arguments)
    except servers.Fault as fault:
        say(f"demo: {fault}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 0


def say(line, to=sys.stdout):
    print(line, file=to, flush=True)


def demonstrate(arguments):
    folder = ROOT / walk.DEMO
    folder.parent.mkdir(exist_ok=True)
    lock = (folder.parent / "demo.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise servers.Fault(f"another demo is running; it owns {folder.relative_to(ROOT)}") from error
    shutil.rmtree(folder, ignore_errors=True)
    listen = os.environ.get("MAILMOOR__HTTP__LISTEN", "127.0.0.1:8080")
    running = servers.Servers(folder, arguments.programs, listen, say)
    try:
        say("Starting a mail server, a name server and Mailmoor ...")
        running.start()
        variables = running.tenant("yours")
        servers.write_variables(folder / "env", variables)
        if not arguments.no_tour:
            say(f"Walking through {TOUR}, in a workspace of its own ...")
            around = folder / "walk"
            walk.prepare(around, running, running.tenant("walk"))
            walk.walk(ROOT / TOUR, around, show)
        farewell(running, variables)
        threading.Event().wait()
    finally:
        running.end()


def show(block, output):
    say(f"\n\033[1m{block.heading}\033[0m" if sys.stdout.isatty() else f"\n{block.heading}")
    for number, line in enumerate(block.command.splitlines()):
        say(("$ " if number == 0 else "  ") + line)
    say(output)


def farewell(running, variables):
    say(f"""
Everything is running, and the workspace "yours" is empty. In a second terminal, in this folder:

  . {walk.DEMO}/env

and paste the commands of {TOUR}, or your own.

  API             {variables["URL"]}, described by {variables["URL"]}/openapi.json
  SendKit key     {variables["KEY"]}
  ColdSend key    {variables["COLDSEND_KEY"]}
  Sendmux key     {variables["SENDMUX_KEY"]}
  mail that is sent goes to {walk.DEMO}/mail/, the log to {walk.DEMO}/log

Ctrl-C stops everything; the next start begins anew.""")


def check(arguments):
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="mailmoor-tour-") as temporary:
        temporary = Path(temporary)
        running = servers.Servers(temporary / "demo", arguments.programs, None, say)
        try:
            running.start()
            usual = {
                running.ports["SMTP_PORT"]: "2587",
                running.ports["IMAP_PORT"]: "2143",
                running.url.rpartition(":")[2]: "8080",
            }
            for number, path in enumerate(PAGES):
                around = temporary / f"walk-{number}"
                walk.prepare(around, running, running.tenant(f"walk-{number}"))
                differences = []
                outputs = walk.walk(ROOT / path, around, lambda b, o, d=differences: compare(b, o, usual, d))
                for line in differences:
                    say(f"{path}:{line}")
                wrong += len(differences)
                if arguments.update and differences:
                    page.rewrite(ROOT / path, [page.with_ports(output, usual) for output in outputs])
                if not differences:
                    say(f"ok      {path}: {len(outputs)} commands print what the page says")
        finally:
            running.end()
    return 1 if wrong else 0


def compare(block, output, usual, differences):
    if page.same(output, block.output, usual):
        return
    expected, printed = (page.normal(text, usual).splitlines() for text in (block.output, output))
    difference = difflib.unified_diff(expected, printed, "the page", "printed", lineterm="")
    differences.append(f"{block.line}: the command prints something else than the page\n" + "\n".join(difference))


sys.exit(main())
