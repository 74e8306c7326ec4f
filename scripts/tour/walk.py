"""Runs the commands of a page in one shell, as a reader would who pastes them one after the other."""

import os
import secrets
import subprocess
import threading

import page
import servers

# A page finds everything here, below the folder that it is run in.
DEMO = "target/demo"
# Seconds that one block may take.
LIMIT = 120


class Shell:
    """One `sh` in a folder; variables live from block to block."""

    def __init__(self, folder):
        self.mark = f"--- {secrets.token_hex(8)}"
        self.process = subprocess.Popen(
            ["sh"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"},
        )

    def run(self, command):
        """What a block prints."""
        self.process.stdin.write(f"{command}\necho; echo '{self.mark}'\n")
        self.process.stdin.flush()
        lines = []
        # A condition that never comes true must not hang CI.
        alarm = threading.Timer(LIMIT, self.process.kill)
        alarm.start()
        try:
            for line in self.process.stdout:
                if line.rstrip("\n") == self.mark:
                    return "".join(lines).strip("\n")
                lines.append(line)
        finally:
            alarm.cancel()
        raise servers.Fault(f"the shell ended, or was ended after {LIMIT} s, in:\n{command}\n{''.join(lines)}")

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def prepare(folder, running, variables):
    """Makes `folder` look like the root of the repository while the demo runs, for one tenant."""
    demo = folder / DEMO
    demo.mkdir(parents=True)
    servers.write_variables(demo / "env", variables)
    for shared in ("mail", "mailmoor.pid"):
        (demo / shared).symlink_to((running.folder / shared).resolve())


def walk(path, folder, show):
    """Runs all blocks; `show(block, output)` is called after each. Returns the outputs."""
    shell = Shell(folder)
    outputs = []
    try:
        for block in page.read(path):
            output = shell.run(block.command)
            outputs.append(output)
            show(block, output)
    finally:
        shell.end()
    return outputs
