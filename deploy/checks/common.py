"""Where things are, and how they are read. All checks run at the root of the repository."""

import functools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

DOCKERFILE = Path("deploy/Dockerfile")
COMPOSE = [Path("docker-compose.yml"), Path("deploy/compose.embedded.yml")]
KUBERNETES = Path("deploy/kubernetes")
# What scripts/check-deploy has installed.
TOOLS = Path(sys.executable).parent


def load(path):
    return yaml.safe_load(path.read_text())


def load_all(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def run(*command, **options):
    """The output of a program that fails, else nothing."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        yield f"{' '.join(map(str, command))}\n{done.stdout.strip()}"


def stages():
    """The stages of the Dockerfile, in order."""
    return re.findall(r"^FROM \S+(?: AS (\S+))?$", DOCKERFILE.read_text(), re.MULTILINE)


def found(pattern, path):
    """What a pattern finds in a file of the code; nothing is a mistake of the pattern."""
    matches = re.findall(pattern, Path(path).read_text(), re.MULTILINE | re.DOTALL)
    if not matches:
        raise LookupError(f"nothing in {path} looks like {pattern}")
    return matches


def queues():
    """The queues of the code, by the name of their constant."""
    return dict(found(r'^    (\w+_QUEUE) = "([^"]+)" \{', "shared-models/src/events/queues.rs"))


def services():
    """The services, by the name of their program, as the end-to-end tests start them."""
    return re.findall(r'"([^"]+)"', found(r"pub const SERVICES: \[&str; \d+\] =\s*\[([^\]]+)\];", "dev/e2e-tests/src/setup.rs")[0])


@functools.cache
def made_secrets():
    """Runs make-secrets twice in a folder of its own. Returns the files after each run."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "make-secrets")
        script.write_bytes(Path("deploy/make-secrets").read_bytes())
        secrets = Path(folder, "secrets")
        secrets.mkdir()
        results = []
        for _ in range(2):
            subprocess.run(["sh", script], check=True, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
            results.append({file.name: file.read_text() for file in secrets.iterdir()})
        return results
