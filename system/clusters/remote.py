"""The harness' side of a carrier: clients and an observer that live in a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from system.client import Refused, Service, Unresolved
from system.clusters.carrier import pack, unpack
from system.clusters.pipe import Pipe

# On top of what the client itself may take: a busy host.
SLACK_S = 20.0
# A submit takes at most six attempts of a second.
SUBMIT_S = 6.0


class RemoteClient:
    """A service's client, carried out elsewhere; the same methods, and the same Refused and Unresolved.

    how: the further arguments of that client, as JSON values
    """

    def __init__(self, carrier: Pipe, service: Service, client_id: str, how: Mapping[str, Any]) -> None:
        self._carrier = carrier
        self._service = service
        self._client_id = client_id
        self._how = how

    async def open(self, deadline_s: float) -> None:
        _answer(
            await self._carrier.ask(
                "open",
                timeout_s=deadline_s + SLACK_S,
                service=self._service,
                client_id=self._client_id,
                deadline_s=deadline_s,
                **self._how,
            )
        )

    async def submit(self, request: Any, *, ask_twice: bool = False) -> Any:
        fate = await self._carrier.ask(
            "submit",
            timeout_s=SUBMIT_S + SLACK_S,
            client_id=self._client_id,
            request=pack(request),
            ask_twice=ask_twice,
        )
        return unpack(_answer(fate))

    async def close(self) -> None:
        await self._carrier.ask("close", client_id=self._client_id)


def _answer(fate: dict[str, Any]) -> Any:
    if "refused" in fate:
        raise Refused(fate["refused"], fate["node"])
    if "unresolved" in fate:
        raise Unresolved(fate["unresolved"], fate["node"])
    return fate["answer"]


class RemoteObserver:
    """system.clusters.observer.Observer, carried out elsewhere."""

    def __init__(self, carrier: Pipe) -> None:
        self._carrier = carrier

    async def serving(self, node: str, timeout_s: float) -> bool:
        answer = await self._carrier.ask(
            "serving", timeout_s=timeout_s + SLACK_S, node=node, within_s=timeout_s
        )
        return bool(answer)

    async def status(self, node: str) -> dict[str, Any] | None:
        answer: dict[str, Any] | None = await self._carrier.ask("status", timeout_s=SLACK_S, node=node)
        return answer

    async def get(self, node: str, path: str) -> tuple[int, bytes] | None:
        answer = await self._carrier.ask("get", timeout_s=SLACK_S, node=node, path=path)
        return (answer[0], answer[1].encode()) if answer else None
