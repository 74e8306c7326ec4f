"""The files of the repository, as git lists them: those that are tracked, and those that will be."""

import functools
import subprocess
from pathlib import Path


@functools.cache
def files():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if name and Path(name).is_file())


@functools.cache
def folders():
    return {parent for file in files() for parent in file.parents}


def exists(path):
    """True for a tracked file or a folder with one."""
    return path in folders() or path in set(files())
