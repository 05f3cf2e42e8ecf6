"""Connections through links: who may open one, and when one that was cut comes back."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial

from system.clusters.addresses import Address
from system.clusters.links import CutKind, End, Flow, Link

# Linux: the least time before lost data is sent again, and before a lost SYN is. Both double every time.
RETRANSMIT_S = 0.2
SYN_RETRANSMIT_S = 1.0
# Where one direction drops packets, the other falls silent so soon, for want of acknowledgements.
ACKS_MISSED_S = 0.1
# With our keepalive options gRPC has its kernel give up a connection on which nothing is acknowledged for
# 0.4 s (TCP_USER_TIMEOUT), which it notices when it next sends again. Here the proxy's kernel acknowledges,
# so the proxy does it in its stead.
KEEPALIVE_LIMIT_S = 0.5
# How often to look whether the sender of a flow that recovers has said something new.
_LOOK_AGAIN_S = 0.005
SOCKET_BUFFER_BYTES = 256 * 1024


class Connection:
    """One connection that a site opened to another through the proxy: two flows, which share its fate.

    It obeys the cuts of the links that it runs over; the network calls `obey` whenever one begins or ends.
    """

    def __init__(
        self,
        client: socket.socket,
        destination: Address,
        there: Link,
        back: Link,
        on_close: Callable[[Connection], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._server: socket.socket | None = None
        self._destination = destination
        self._there, self._back = there, back
        self._round_trip_s = there.delay_s + back.delay_s
        self._on_close = on_close
        self._opened_s = self._loop.time()
        self._closed = False
        self._timers: list[asyncio.TimerHandle] = []
        self._dialling: asyncio.Task[None] | None = None
        self._forward = Flow(there, client, client=True, on_end=lambda end: self._ended(self._forward, end))
        self._forward.hold = messages_only(there.cut)
        self._backward: Flow | None = None
        self._passed_on: list[Flow] = []
        if self._silenced():
            self._forward.kept_out = True
            for link in (there, back):
                link.held_connections += link.cut is not None
        else:
            self._dial()

    # Opening.

    def _silenced(self) -> bool:
        """A handshake needs packets in both directions."""
        return "packets" in (self._there.cut, self._back.cut)

    def _dial(self) -> None:
        self._forward.kept_out = False
        self._dialling = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        prepare(server)
        try:
            await self._loop.sock_connect(server, self._destination)
        except OSError:  # nobody is there: the kernel of a real machine would have refused
            server.close()
            self.reset()
            return
        except asyncio.CancelledError:
            server.close()
            raise
        self._dialling = None
        self._server = server
        backward = Flow(self._back, server, client=False, on_end=lambda end: self._ended(backward, end))
        self._backward = backward
        self._forward.connect(server, backward, self._opened_s + self._round_trip_s + self._there.delay_s)
        backward.connect(
            self._client, self._forward, self._opened_s + self._round_trip_s + self._back.delay_s
        )
        self.obey()

    # Cuts.

    def obey(self) -> None:
        """Adapts to the cuts that are now in force."""
        self._forget_timers()
        if self._backward is None:
            self._forward.hold = messages_only(self._there.cut)
            if self._dialling is None and not self._silenced():
                again_s = next_attempt_s(self._opened_s, SYN_RETRANSMIT_S, self._loop.time())
                self._later(again_s, self._dial)
            return
        released = []
        for flow, opposite in ((self._forward, self._backward), (self._backward, self._forward)):
            wanted = flow.link.cut
            if opposite.link.cut == "packets" and wanted != "packets":
                self._later(self._loop.time() + ACKS_MISSED_S, partial(flow.keep_back, "packets"))
            if wanted is not None and wanted != flow.hold:
                flow.keep_back(wanted)
            if flow.hold and wanted is None and opposite.link.cut != "packets":
                released.append(flow)
        if self._silenced():
            self._give_up_in_time()
        if released:
            self._recover(released)

    def _stalled_s(self) -> float | None:
        """Since when something has been kept back."""
        flows = (self._forward, self._backward)
        return min((flow.stalled_s for flow in flows if flow and flow.stalled_s is not None), default=None)

    def _give_up_in_time(self) -> None:
        """Resets a connection that packets do not pass once it has stalled for too long."""
        now_s, stalled_s = self._loop.time(), self._stalled_s()
        due_s = (now_s if stalled_s is None else stalled_s) + KEEPALIVE_LIMIT_S
        if due_s <= now_s:
            self.reset()
        else:
            self._later(due_s, self._give_up_in_time)

    def _recover(self, flows: list[Flow]) -> None:
        """Lets flows go when their sender's kernel would next have sent again, or resets what was given up.

        It sends again when a time-out ends, or a round trip after something new arrived, which told it what
        was missing. benchmarks/link_recovery.py compares this with a real network.
        """
        now_s, stalled_s = self._loop.time(), self._stalled_s()
        if stalled_s is None:
            self._release(flows)
        elif now_s - stalled_s > KEEPALIVE_LIMIT_S:
            self.reset()
        else:
            again_s = next_attempt_s(stalled_s, RETRANSMIT_S + self._round_trip_s, now_s)
            self._later(again_s, lambda: self._release(flows))
            self._when_heard(flows, [flow.waiting_bytes() for flow in flows])

    def _when_heard(self, flows: list[Flow], waiting_bytes: list[int]) -> None:
        """Lets flows go a round trip after one of their senders says something new."""
        now_s = self._loop.time()
        if any(flow.waiting_bytes() > before for flow, before in zip(flows, waiting_bytes, strict=True)):
            self._later(now_s + self._round_trip_s, lambda: self._release(flows))
        else:
            self._later(now_s + _LOOK_AGAIN_S, lambda: self._when_heard(flows, waiting_bytes))

    def _release(self, flows: list[Flow]) -> None:
        self._forget_timers()
        for flow in flows:
            flow.release()

    def _later(self, at_s: float, action: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_at(at_s, action))

    def _forget_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    # Ending.

    def _ended(self, flow: Flow, end: End) -> None:
        other = self._server if flow is self._forward else self._client
        if end is End.RESET or other is None:
            self.reset()
            return
        self._passed_on.append(flow)
        if len(self._passed_on) == 2:
            self._close()
            return
        try:
            other.shutdown(socket.SHUT_WR)
        except OSError:
            self.reset()

    def reset(self) -> None:
        """Ends the connection abruptly for both sides."""
        for end in (self._client, self._server):
            if end is not None and end.fileno() >= 0:
                # Closing with a linger of zero sends RST.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._forget_timers()
        if self._dialling and self._dialling is not asyncio.current_task(self._loop):
            self._dialling.cancel()
        self._forward.close()
        self._client.close()
        if self._backward and self._server:
            self._backward.close()
            self._server.close()
        self._on_close(self)


class Proxy:
    """Accepts what one site opens to another, and carries it there."""

    def __init__(self, listener: socket.socket, destination: Address, there: Link, back: Link) -> None:
        self.connections: dict[Connection, None] = {}
        self._listener = listener
        self._destination = destination
        self._there, self._back = there, back
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listener, self._accept)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # it was gone again, or there are no descriptors left just now
            return
        prepare(client)
        connection = Connection(client, self._destination, self._there, self._back, self._forget)
        self.connections[connection] = None

    def _forget(self, connection: Connection) -> None:
        self.connections.pop(connection, None)

    def close(self) -> None:
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for connection in list(self.connections):
            connection.reset()


def prepare(end: socket.socket) -> None:
    end.setblocking(False)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Small, so that a slow or cut link is felt by its sender and not hidden in the kernel.
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)


def messages_only(cut: CutKind | None) -> CutKind | None:
    """What a cut does to a connection that is still being opened: its packets have not begun to flow."""
    return cut if cut == "messages" else None


def next_attempt_s(first_s: float, interval_s: float, now_s: float) -> float:
    """When somebody who tried at first_s, and again after one, two, four … intervals each time, tries
    next."""
    at_s = first_s
    while at_s < now_s:
        at_s += interval_s
        interval_s *= 2
    return at_s
