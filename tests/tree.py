"""The files of the sources."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
_BINARY = {".gz", ".png", ".pyc", ".so"}


def files():
    """Yields the paths of all files: no build folders, and no hidden folders except that of CI."""
    folders = [ROOT]
    while folders:
        for entry in folders.pop().iterdir():
            if entry.is_dir() and not entry.is_symlink():
                if entry.name == ".ci" or not re.match(r"\.|build|__pycache__$", entry.name):
                    folders.append(entry)
            elif entry.is_file() and entry.suffix not in _BINARY:
                yield entry
