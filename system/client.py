"""The system's client: carries one request, reports honestly what is known of its fate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Append:
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Put:
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class CompareAndSet:
    key: str
    expected: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Read:
    key: str


Request = Append | Put | CompareAndSet | Read


@dataclass(frozen=True, slots=True)
class Answer:
    """index: the log index a command took, or a read's applied index. swapped: of a CompareAndSet.
    items, value: of a Read."""

    node: str
    index: int
    swapped: bool = True
    items: tuple[str, ...] = ()
    value: str | None = None


class Refused(Exception):
    """The request definitely did not happen, at no attempt."""


class Unresolved(Exception):
    """At least one attempt may or may not have happened, whatever the last one said."""


class Client:
    """One logical client: one session, one outstanding request.

    addresses: {node id: "ip:port"} as dialled from where this client is
    client_id: the session's name, unique for each logical client of a run
    pinned:    send to this node only; None: follow the leader
    retry:     send a timed-out command again under the same (client, sequence), within the same submit
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        *,
        cluster_id: str,
        client_id: str,
        pinned: str | None = None,
        retry: bool = False,
        attempt_timeout_s: float = 1.0,
    ) -> None:
        raise NotImplementedError

    async def open(self, deadline_s: float) -> None:
        """Opens the session. Raises Unresolved where no leader took it in time."""
        raise NotImplementedError

    async def submit(self, request: Request, *, ask_twice: bool = False) -> Answer:
        """Raises Refused or Unresolved. After Unresolved the client must be closed and never used again.

        ask_twice: once answered, send the same (client, sequence) again, as if the first answer had been
        lost, and return the second answer.
        """
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
