"""numba's compiler, with its cache on disk kept honest.

numba compiles a function anew when the file it stands in has changed, not when one has that it calls into. So
what was compiled before the newest change to any of our kernels goes before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.event import Event, Listener, register
from numba.core.options import DefaultOptions

from checkers.compile_time import COMPILING

__all__ = ["leaf", "njit"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
# The option is numba's own; one that no longer has it is slower, and as right.
_UNCOUNTED: dict[str, Any] = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}


def leaf(function: _Function) -> _Function:
    """Compiles a small function that makes no array, for others that are compiled to call. numba counts the
    references to each array that a function is handed, which takes longer than a small function itself, and
    keeps nothing alive that its caller does not."""
    return cast("_Function", njit(cache=True, **_UNCOUNTED)(function))


def _drop_stale(root: Path) -> None:
    sources = [path.stat().st_mtime for path in root.rglob("*kernels.py")]
    for index in root.rglob("__pycache__/*kernels.*.nbi"):
        with suppress(OSError):  # another process was faster
            if index.stat().st_mtime < max(sources):
                index.unlink()


class _Compiling(Listener):
    """Takes the time."""

    def on_start(self, event: Event) -> None:
        COMPILING.began()

    def on_end(self, event: Event) -> None:
        COMPILING.ended()


_drop_stale(Path(__file__).parent)
register("numba:compile", _Compiling())  # type: ignore[no-untyped-call]
