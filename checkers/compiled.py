"""numba's compiler, with its cache on disk kept honest.

numba compiles a function anew when the file it stands in has changed, not when one has that it calls into. So
what was compiled before the newest change to any of our kernels goes before anything is loaded.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from numba import njit

__all__ = ["njit"]


def _drop_stale(root: Path) -> None:
    sources = [path.stat().st_mtime for path in root.rglob("*kernels.py")]
    for index in root.rglob("__pycache__/*kernels.*.nbi"):
        with suppress(OSError):  # another process was faster
            if index.stat().st_mtime < max(sources):
                index.unlink()


_drop_stale(Path(__file__).parent)
