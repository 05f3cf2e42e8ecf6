"""One attempt at one node, what its end proves, and whom to ask next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from system.rpc import CHANNEL_OPTIONS, leader_hint

_READY, _FAILED = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE
# Between two rounds of asking everybody: at first, and at most.
PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.2
# What the service itself says of a request it did not carry out, whichever node was asked.
_REFUSALS = (
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
)


class AttemptRefusedError(Exception):
    """The attempt definitely did nothing.

    leader:    who leads instead; "" where unknown
    permanent: another node would say the same
    """

    def __init__(self, message: str, leader: str = "", *, permanent: bool = False) -> None:
        super().__init__(message)
        self.leader = leader
        self.permanent = permanent


class AttemptUnresolvedError(Exception):
    """The attempt may or may not have happened, or may happen yet."""


class Conversation:
    """One node's gRPC service, dialled when first needed.

    make_stub: of a service that refuses with the codes that _judge knows, such as OrchestratorServiceStub
    """

    def __init__(self, node: str, address: str, make_stub: Callable[[grpc.aio.Channel], Any]) -> None:
        self._node = node
        self._address = address
        self._make_stub = make_stub
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None

    async def ask(self, method: str, message: Any, timeout_s: float) -> Any:
        """Returns the response. Raises AttemptRefusedError or AttemptUnresolvedError, within timeout_s."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        await self._connect(timeout_s)
        try:
            return await getattr(self._stub, method)(message, timeout=max(until - loop.time(), 0.001))
        except grpc.aio.AioRpcError as error:
            raise self._judge(error) from None

    async def close(self) -> None:
        if self._channel:
            await self._channel.close()

    async def _connect(self, timeout_s: float) -> None:
        """Nothing is sent before the connection stands, so failing here proves that nothing happened; once
        the call is under way, UNAVAILABLE and the like prove nothing."""
        channel = await self._dialled()
        if channel.get_state(try_to_connect=True) is _READY:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready(channel)
        except TimeoutError:
            said = f"no connection to {self._node} within {timeout_s:.3g} s, nothing was sent"
            raise AttemptRefusedError(said) from None

    async def _dialled(self) -> grpc.aio.Channel:
        """The channel. One that failed is dialled anew: it would stay TRANSIENT_FAILURE through every try
        until one succeeds, so nobody could see this attempt's own try fail."""
        if self._channel and self._channel.get_state() is _FAILED:
            await self._channel.close()
            self._channel = None
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._address, options=CHANNEL_OPTIONS)
            self._stub = self._make_stub(self._channel)
        return self._channel

    async def _ready(self, channel: grpc.aio.Channel) -> None:
        """Waits for the connection. Raises AttemptRefusedError once trying for it fails."""
        while (state := channel.get_state(try_to_connect=True)) is not _READY:
            if state is _FAILED:
                raise AttemptRefusedError(f"{self._node} takes no connection, nothing was sent")
            await channel.wait_for_state_change(state)

    def _judge(self, error: grpc.aio.AioRpcError) -> AttemptRefusedError | AttemptUnresolvedError:
        """gRPC itself never ends a call with one of the four codes that prove something here."""
        code = error.code()
        said = f"{self._node}: {code.name}: {error.details()}"
        if code is grpc.StatusCode.FAILED_PRECONDITION:
            return AttemptRefusedError(said, leader_hint(error)[0])
        if code in _REFUSALS:
            return AttemptRefusedError(said, permanent=True)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return AttemptUnresolvedError(f"timed out at {self._node}")
        return AttemptUnresolvedError(said)


class Course:
    """Which node to ask next: the leader where one is named, otherwise all in turn."""

    def __init__(self, nodes: tuple[str, ...], first: str) -> None:
        self._nodes = nodes
        self._turns = 0
        self._pause_s = PAUSE_S
        self.node = first

    def after(self, leader: str = "") -> str:
        if leader in self._nodes and leader != self.node:
            return leader
        return self._nodes[(self._nodes.index(self.node) + 1) % len(self._nodes)]

    async def turn(self, leader: str = "") -> None:
        """Goes on to the named leader, or to the next node. Pauses once a round of all nodes, longer every
        time: right after an election they name nobody, or one another."""
        self.node = self.after(leader)
        self._turns += 1
        if self._turns % len(self._nodes) == 0:
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
