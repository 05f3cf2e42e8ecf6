"""What a task is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from system.worker.storage import ObjectStore


@dataclass(frozen=True, slots=True)
class Task:
    """arguments: the names it needs, all of them; optional: those it takes besides. run(store, arguments) ->
    result; it lets the store's errors pass, and leaves the event loop free: a thread does what takes longer
    than a millisecond."""

    name: str
    arguments: tuple[str, ...]
    run: Callable[[ObjectStore, Mapping[str, str]], Awaitable[dict[str, str]]]
    optional: tuple[str, ...] = ()
