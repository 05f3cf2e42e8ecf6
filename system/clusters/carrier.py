"""Carries clients, or looks at nodes, for a harness outside: `python -m system.clusters.carrier`.

It runs where the clients are meant to be, in a container, and does what it is asked over its stdin and stdout
(pipe.py). Requests and answers travel as [class name, fields].
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from system import client as commands
from system import object_client as objects
from system.client import Client, Refused, Service, Unresolved
from system.clusters import pipe
from system.clusters.errors import ClusterError
from system.clusters.observer import Observer
from system.object_client import ObjectClient

_TRAVELLERS = (
    *(commands.Append, commands.Put, commands.CompareAndSet, commands.Read, commands.Answer),
    *(objects.PutObject, objects.ReplaceObject, objects.GetObject, objects.ObjectAnswer),
)
_CLIENTS: dict[Service, type[Any]] = {"control-plane": Client, "workers": ObjectClient}
_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in _TRAVELLERS}


def pack(thing: Any) -> list[Any]:
    return [type(thing).__name__, dataclasses.asdict(thing)]


def unpack(packed: list[Any]) -> Any:
    name, fields = packed
    return _CLASSES[name](**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


class Carrier:
    """The verbs are its public coroutines; a client is told apart by its id."""

    def __init__(self) -> None:
        self._clients: dict[str, Client | ObjectClient] = {}
        self._observer: Observer | None = None

    async def open(self, service: Service, client_id: str, deadline_s: float, **how: Any) -> dict[str, Any]:
        """how: the arguments of the service's client."""
        self._clients[client_id] = _CLIENTS[service](client_id=client_id, **how)
        return await _fate(self._clients[client_id].open(deadline_s))

    async def submit(self, client_id: str, request: list[Any], ask_twice: bool) -> dict[str, Any]:
        """Result: {"answer"}, or {"refused" or "unresolved": what was said, "node"}."""
        return await _fate(self._client(client_id).submit(unpack(request), ask_twice=ask_twice))

    async def close(self, client_id: str) -> None:
        await self._client(client_id).close()
        del self._clients[client_id]

    async def observe(self, **whom: Any) -> None:
        """whom: the arguments of Observer."""
        self._observer = Observer(**whom)

    async def serving(self, node: str, within_s: float) -> bool:
        return await self._looking().serving(node, within_s)

    async def status(self, node: str) -> dict[str, Any] | None:
        return await self._looking().status(node)

    async def get(self, node: str, path: str) -> tuple[int, str] | None:
        answer = await self._looking().get(node, path)
        return (answer[0], answer[1].decode("utf-8", "replace")) if answer else None

    async def end(self) -> None:
        for client in self._clients.values():
            await client.close()
        if self._observer is not None:
            await self._observer.close()

    def _client(self, client_id: str) -> Client | ObjectClient:
        if client_id not in self._clients:
            raise ClusterError(f"no client {client_id} was opened here")
        return self._clients[client_id]

    def _looking(self) -> Observer:
        if self._observer is None:
            raise ClusterError("nobody to look at was named: `observe` comes first")
        return self._observer


async def _fate(work: Any) -> dict[str, Any]:
    try:
        answer = await work
    except Refused as refused:
        return {"refused": str(refused), "node": refused.node}
    except Unresolved as doubt:
        return {"unresolved": str(doubt), "node": doubt.node}
    return {"answer": None if answer is None else pack(answer)}


async def main() -> None:
    carrier = Carrier()
    try:
        requests, tell = await pipe.standard_streams()
        tell({"ready": True})
        await pipe.serve(requests, carrier, tell)
    finally:
        await carrier.end()


if __name__ == "__main__":
    asyncio.run(main())
