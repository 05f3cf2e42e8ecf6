"""A directory that goes with the process it was made for."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path


class Scratch:
    """The directory that is at this path now; no other is ever removed. Raises ValueError where there is
    none, as for a symbolic link."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).absolute()
        found = _identity(self._path)
        if found is None:
            raise ValueError(f"{self._path} is no directory")
        self._identity = found

    def remove(self) -> None:
        """With all that is in it; of symbolic links the link alone. Does nothing where it is gone, or
        something else has taken its place."""
        if _identity(self._path) == self._identity:
            shutil.rmtree(self._path)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a directory from others of the same name; None where there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
