"""numba's compiler, with its cache on disk kept honest, and what compiled functions need that numba has not.

numba compiles a function anew when the file it stands in has changed, not when one has that it calls into. So
what was compiled before the newest change to any of our kernels goes before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.event import Event, Listener, register
from numba.core.options import DefaultOptions
from numba.extending import intrinsic, overload

from checkers.compile_time import COMPILING

__all__ = ["leaf", "njit", "same"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
# The option is numba's own; one that no longer has it is slower, and as right.
_UNCOUNTED: dict[str, Any] = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}


def leaf(function: _Function) -> _Function:
    """Compiles a small function that makes no array, for others that are compiled to call. numba counts the
    references to each array that a function is handed, which takes longer than a small function itself, and
    keeps nothing alive that its caller does not."""
    return cast("_Function", njit(cache=True, **_UNCOUNTED)(function))


def same(one: Any, begin: int, other: Any, start: int, count: int) -> bool:
    """Whether `count` numbers from `begin` of the one array are those from `start` of the other. Both are of
    the same kind, without gaps."""
    return bool((one[begin : begin + count] == other[start : start + count]).all())


@overload(same)
def _same_compiled(one: Any, begin: Any, other: Any, start: Any, count: Any) -> Any:
    def compare(one: Any, begin: Any, other: Any, start: Any, count: Any) -> Any:
        return _memcmp(one, begin, other, start, count) == 0  # type: ignore[call-arg]

    return compare


@intrinsic
def _memcmp(_context: Any, one: Any, begin: Any, other: Any, start: Any, count: Any) -> Any:
    """The C library's, which looks at as many at a time as the machine can. A loop takes twice as long."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bytes_at, size = ir.IntType(8).as_pointer(), ir.IntType(64)
        pointers = []
        for at in (0, 2):
            array = context.make_array(signature.args[at])(context, builder, arguments[at])
            pointers.append(builder.bitcast(builder.gep(array.data, [arguments[at + 1]]), bytes_at))
        length = builder.mul(arguments[4], ir.Constant(size, one.dtype.bitwidth // 8))
        kind = ir.FunctionType(ir.IntType(32), [bytes_at, bytes_at, size])
        function = cgutils.get_or_insert_function(builder.module, kind, "memcmp")  # type: ignore[no-untyped-call]
        return builder.call(function, [*pointers, length])

    contiguous = one.layout == other.layout == "C" and one.dtype == other.dtype
    return (types.int32(one, types.intp, other, types.intp, types.intp), generate) if contiguous else None


def _drop_stale(root: Path) -> None:
    sources = [path.stat().st_mtime for path in (*root.rglob("*kernels.py"), Path(__file__))]
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
