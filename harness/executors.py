"""Who carries out what a sweep is made of: this process, others, others that run compiled code, or a Dask
cluster's.

Each is a context manager that yields (executor, how many tasks it should have at a time).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from harness.compiled import is_active
from harness.errors import ExecutorError

# How long a scheduler may take to answer.
CONNECT_S = 10.0


class _Here(Executor):
    """Carries out in this process what it is given, at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **named))
        except Exception as error:
            done.set_exception(error)
        return done


@contextmanager
def processes(jobs: int) -> Iterator[tuple[Executor, int]]:
    if jobs == 1:
        yield _Here(), 1
        return
    pool = ProcessPoolExecutor(jobs)
    try:
        yield pool, 2 * jobs
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def compiled_processes(jobs: int, tree: Path) -> Iterator[tuple[Executor, int]]:
    """Processes that import everything from a compiled copy of the code (harness.compiled.tree). This
    process goes on with what it has imported. Raises ExecutorError where they run something else."""
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    sys.path.insert(0, str(tree))  # a spawned process starts with its parent's
    try:
        if not _holds(pool):
            raise ExecutorError(f"--compiled: the processes cannot load what is compiled in {tree}")
        yield pool, 2 * jobs
    finally:
        sys.path.remove(str(tree))
        pool.shutdown(cancel_futures=True)


def _holds(pool: Executor) -> bool:
    """Whether its processes run what is compiled, and run at all."""
    try:
        return pool.submit(is_active).result()
    except BrokenExecutor:
        return False


@contextmanager
def on_dask(address: str) -> Iterator[tuple[Executor, int]]:
    """The workers of a Dask scheduler, such as tcp://10.0.0.1:8786. Raises ExecutorError."""
    try:
        import distributed
    except ImportError:
        raise ExecutorError("--dask needs Dask: pip install 'crosswind[dask]'") from None
    try:
        connect: Any = distributed.Client
        client = connect(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise ExecutorError(
            f"--dask={address}: no scheduler answers there ({said}); start one with `dask scheduler`, and"
            " workers with `dask worker ADDRESS` where crosswind is installed"
        ) from None
    with client:
        cores = sum(client.ncores().values())
        if not cores:
            start = f"`dask worker {address}`"
            raise ExecutorError(f"--dask={address}: the scheduler has no workers; start some with {start}")
        # A worker that dies takes no answer along: the scheduler has others do what it was doing.
        yield client.get_executor(pure=False), 4 * cores
