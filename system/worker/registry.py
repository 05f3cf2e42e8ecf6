"""The control plane's worker registry, as a worker reaches it: at whichever node leads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from system import rpc
from system.pb.worker_pb2_grpc import WorkerRegistryServiceStub
from system.worker.config import AddressBook

T = TypeVar("T")
Call = Callable[[WorkerRegistryServiceStub], Awaitable[T]]


class NoLeader(Exception):
    """No node took the call; the message says what each of them answered."""


class Registry:
    """Keeps a warm channel to each node it has asked, and remembers which one leads.

    `leader` is the address that last took a call; None until one has, and after it failed.
    """

    def __init__(self, book: AddressBook) -> None:
        self.leader: str | None = None
        self._book = book
        self._order = list(book.addresses)
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def ask_leader(self, call: Call[T]) -> T:
        """Makes the call at the leader. Raises grpc.aio.AioRpcError where it failed there, after which the
        leader counts as lost; RuntimeError where there is none."""
        if self.leader is None:
            raise RuntimeError("no leader: find one first")
        address = self.leader
        try:
            return await call(self._stub(address))
        except grpc.aio.AioRpcError as error:
            self.leader = None
            self._order.sort(key=lambda other: other == address)  # stable: the one that failed is asked last
            self._prefer(self._redirect(error))
            raise

    async def find_leader(self, call: Call[T]) -> T:
        """Makes the call at one node after the other, each once, following redirects, until one takes it:
        the leader from now on. Raises NoLeader."""
        asked: dict[str, str] = {}
        while address := next((other for other in self._order if other not in asked), None):
            try:
                answer = await call(self._stub(address))
            except grpc.aio.AioRpcError as error:
                asked[address] = f"{error.code().name} {error.details() or ''}".strip()
                self._prefer(self._redirect(error))
            else:
                self.leader = address
                return answer
        self._order = list(self._book.addresses)
        raise NoLeader("; ".join(f"{address}: {answer}" for address, answer in asked.items()))

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    def _stub(self, address: str) -> WorkerRegistryServiceStub:
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address, options=rpc.CHANNEL_OPTIONS)
        return WorkerRegistryServiceStub(self._channels[address])  # type: ignore[no-untyped-call]

    def _redirect(self, error: grpc.aio.AioRpcError) -> str | None:
        """Where the refusing node says the leader is. With ids, our own book alone says how to dial it from
        here: a node's address as its peers dial it may be on another network."""
        leader_id, address = rpc.leader_hint(error)
        return (self._book.by_id.get(leader_id) if self._book.by_id else address) or None

    def _prefer(self, address: str | None) -> None:
        """Puts an address first in the order of asking."""
        if address is not None:
            self._order = [address, *(other for other in self._order if other != address)]
