"""The playground (Dovecot and Knot) and Mailmoor, started together and ended together."""

import ctypes
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

KINDS = {"sendkit-workspace": "KEY", "coldsend": "COLDSEND_KEY", "sendmux-root": "SENDMUX_KEY"}
OWNER = "owner@localhost"


class Fault(Exception):
    """Ends the demo with one line."""


def end_with_parent():
    """Linux ends the child when this process is gone, even by kill -9 (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def is_free(host, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class Servers:
    """`folder` gets settings, keys, data and logs. Everything listens on loopback; `listen` is where Mailmoor does,
    and None lets all of them choose free ports."""

    def __init__(self, folder, programs, listen, say):
        self.folder, self.programs, self.listen, self.say = folder, programs, listen, say
        self.playground = self.mailmoor = None
        self.ending = False
        self.supervisor = None

    def start(self):
        (self.folder / "mail").mkdir(parents=True)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILMOOR_")}
        self.start_playground()
        host, port = self.free_address()
        self.environment |= self.settings | {
            "MAILMOOR__DATA_DIR": str(self.folder / "data"),
            "MAILMOOR__HTTP__LISTEN": f"{host}:{port}",
        }
        self.url = f"http://{host}:{port}"
        self.start_mailmoor()
        self.wait_ready()
        self.supervisor = threading.Thread(target=self.supervise, daemon=True)
        self.supervisor.start()

    def start_playground(self):
        command = [self.programs / "examples" / "playground", self.folder]
        command += [] if self.listen else ["--free-ports"]
        self.playground = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        for line in self.playground.stdout:
            if line.startswith("Ctrl-C"):
                break
        else:
            raise Fault("the playground did not start; its own words stand above")
        text = (self.folder / "settings").read_text()
        assignments = re.findall(r"^(export )?(\w+)='?([^'\n]*)'?$", text, re.MULTILINE)
        self.settings = {name: value for exported, name, value in assignments if exported}
        self.ports = {name: value for exported, name, value in assignments if not exported}

    def free_address(self):
        """Where Mailmoor listens: the wanted address, or a free port, for all restarts of this demo."""
        host, port = "127.0.0.1", None
        if self.listen:
            host, _, port = self.listen.rpartition(":")
            if is_free(host, int(port)):
                return host, int(port)
        for _ in range(100):
            # Below the range that the system takes for outgoing connections.
            other = random.randrange(20_000, 32_000)
            if is_free(host, other):
                if port:
                    self.say(f"Port {port} of {host} is taken; Mailmoor listens on {other} instead.")
                return host, other
        raise Fault(f"no port of {host} is free")

    def start_mailmoor(self):
        # The first start prints keys on its standard output; they have no business in the log.
        with (self.folder / "log").open("a") as log, (self.folder / "first-start").open("a") as first_start:
            self.mailmoor = subprocess.Popen(
                [self.programs / "mailmoor", "serve"],
                stdin=subprocess.DEVNULL,
                stdout=first_start,
                stderr=log,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        (self.folder / "mailmoor.pid").write_text(f"{self.mailmoor.pid}\n")

    def wait_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.mailmoor.poll() is not None:
                raise Fault(f"Mailmoor did not start:\n{self.log_tail()}")
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Fault(f"Mailmoor was not ready within 60 seconds:\n{self.log_tail()}")

    def log_tail(self):
        return "\n".join((self.folder / "log").read_text().splitlines()[-15:])

    def supervise(self):
        """Starts Mailmoor again when something else than the demo ended it."""
        while True:
            status = self.mailmoor.wait()
            if self.ending:
                return
            how = f"signal {-status}" if status < 0 else f"status {status}"
            self.say(f"Mailmoor ended ({how}); it is started again.")
            self.start_mailmoor()

    def tenant(self, name):
        """A new workspace. Returns its variables for the commands of a page."""
        self.admin("workspace", "create", name, "--owner", OWNER)
        keys = {
            variable: self.admin("key", "create", "--kind", kind, "--workspace", name)["key"]
            for kind, variable in KINDS.items()
        }
        return {"URL": self.url} | keys | self.ports

    def admin(self, *arguments):
        command = [self.programs / "mailmoor", "admin", "--json", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise Fault(f"mailmoor admin {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def end(self):
        self.ending = True
        for child in (self.mailmoor, self.playground):
            if child and child.poll() is None:
                child.send_signal(signal.SIGTERM)
                try:
                    child.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


def write_variables(path, variables):
    """A file to be sourced by a shell."""
    Path(path).write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
