"""How clients and workers reach simulated nodes: gRPC's calls, carried as events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import grpc

from system.attempt import AttemptRefusedError, Conversation
from system.pb.worker_pb2_grpc import WorkerRegistryServiceStub
from system.simulation.network import Network
from system.simulation.node import SimNode
from system.simulation.service import call_error
from system.worker.config import AddressBook
from system.worker.registry import Registry

REQUEST_BYTES = 200


class SimStub:
    """One site's calls to one node. `stub.Append(request, timeout=1.0)` is awaited like gRPC's own."""

    def __init__(self, network: Network, site: str, node: SimNode) -> None:
        self._network = network
        self._site = site
        self._node = node
        self._loop = node.loop

    def round_trip_s(self) -> float:
        return self._network.round_trip_ms(self._site, self._node.name) / 1e3

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        call = partial(self._call, method)
        setattr(self, method, call)  # asked for this one once
        return call

    def _call(self, method: str, request: Any, *, timeout: float) -> asyncio.Future[Any]:
        """Fails with AioRpcError: DEADLINE_EXCEEDED, UNAVAILABLE, or what the node says."""
        loop, network, site, node = self._loop, self._network, self._site, self._node
        answer: asyncio.Future[Any] = loop.create_future()

        def arrive(response: Any) -> None:
            if answer.done():
                return
            if isinstance(response, grpc.aio.AioRpcError):
                answer.set_exception(response)
            else:
                answer.set_result(response)

        def reply(response: Any) -> None:
            network.send(node.name, site, REQUEST_BYTES, "answer", arrive, response)

        def expire() -> None:
            if not answer.done():
                answer.set_exception(call_error(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time"))

        loop.at(loop.now_ns + int(timeout * 1e9), expire)
        network.send(site, node.name, REQUEST_BYTES, "request", node.serve, method, request, reply)
        return answer


class SimConversation(Conversation):
    """The client's own rules of what an attempt's end proves, over simulated calls."""

    def __init__(self, stub: SimStub, node: SimNode) -> None:
        super().__init__(node.name, node.name, lambda channel: stub)
        self._stub = stub
        self._at = node

    async def close(self) -> None:
        """There is nothing to close."""

    async def _connect(self, timeout_s: float) -> None:
        if not self._at.listens:
            await asyncio.sleep(self._stub.round_trip_s())  # that is how long being turned away takes
            raise AttemptRefusedError(f"{self._node} takes no connection, nothing was sent")


class SimRegistry(Registry):
    """A worker's view of the control plane."""

    def __init__(self, stubs: Mapping[str, SimStub]) -> None:
        by_id = {node: node for node in stubs}
        super().__init__(AddressBook(tuple(stubs), by_id))
        self._stubs = stubs

    def _stub(self, address: str) -> WorkerRegistryServiceStub:
        stub: Any = self._stubs[address]
        return stub  # type: ignore[no-any-return]
