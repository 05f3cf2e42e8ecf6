"""Links: what becomes of bytes on their way from one site to another.

A Link is the way from one site to another, with its delay, its rate, its cut and its evidence. It carries one
direction of every connection between the two, whichever of them opened it; a Flow is that direction of one
connection.

A cut of kind "packets" imitates packets that are dropped: nothing more is read (so the sender's kernel soon
stops taking bytes) nor written, ends of connections are kept back too, and what was already on its way waits
as if it had been lost and not yet retransmitted. A cut of kind "messages" goes on reading, but lets only what
the HTTP/2 connection says of itself through. Bytes are never dropped from a connection that goes on: it is
released in order, or reset.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Any, Literal

from system.clusters.http2 import DATA, OPAQUE, Frame, Frames

CutKind = Literal["packets", "messages"]

READ_BYTES = 64 * 1024
# How much of one flow may be on its way. Beyond that it is not read, and its sender feels it.
QUEUE_BYTES = 1024 * 1024
# How much a cut of messages keeps back of one flow; HTTP/2's own flow control stops the sender earlier.
HELD_BYTES = 16 * 1024 * 1024


class End(Enum):
    """How a sender ended its direction of a connection."""

    FIN = "fin"
    RESET = "reset"


class Link:
    """The way from `source` to `destination`.

    delay_s: one way. extra_s, jitter_s: a fault on top; each piece takes up to jitter_s longer, in order.
    rate_bytes_s: None where unlimited.
    """

    def __init__(self, source: str, destination: str, delay_s: float, rng: Random) -> None:
        self.name = f"{source}->{destination}"
        self.delay_s = delay_s
        self.extra_s = 0.0
        self.jitter_s = 0.0
        self.rate_bytes_s: float | None = None
        self.cut: CutKind | None = None
        self.flows: dict[Flow, None] = {}
        # Since `mark`. held_bytes counts flows that ended while held; those still held know it themselves.
        self.passed_bytes = 0
        self.passed_messages = 0
        self.held_bytes = 0
        self.held_connections = 0
        self._quiet_since_s = time.monotonic()
        self._rng = rng
        self._free_s = 0.0

    def due_s(self, now_s: float, size_bytes: int) -> float:
        """When what is sent now arrives."""
        delay_s = self.delay_s + self.extra_s
        if self.jitter_s:
            delay_s += self._rng.uniform(0, self.jitter_s)
        if self.rate_bytes_s:
            self._free_s = max(now_s, self._free_s) + size_bytes / self.rate_bytes_s
            return self._free_s + delay_s
        return now_s + delay_s

    def bytes_in(self, period_s: float, at_most: int) -> int:
        """How much the link carries in that time, where it is throttled; at least 1 KiB."""
        return (
            at_most
            if self.rate_bytes_s is None
            else min(at_most, max(1024, int(self.rate_bytes_s * period_s)))
        )

    def mark(self) -> None:
        """Evidence counts from here."""
        self.passed_bytes = self.passed_messages = self.held_bytes = self.held_connections = 0
        self._quiet_since_s = time.monotonic()

    def count_messages(self, messages: int) -> None:
        """So many have just passed."""
        if messages:
            self.passed_messages += messages
            self._quiet_since_s = time.monotonic()

    def harms(self) -> list[str]:
        """What faults are in force on it. A connection recovers in its own time once none is."""
        harms = {
            "cut": self.cut is not None,
            "slow": bool(self.extra_s or self.jitter_s),
            "throttled": self.rate_bytes_s is not None,
        }
        return [harm for harm, lasts in harms.items() if lasts]

    def facts(self) -> dict[str, Any]:
        """held_bytes: seen waiting at a cut. passed_bytes: written to the other end. passed_messages: DATA
        frames begun among them. quiet_ms: how long ago the last of those passed, or `mark` where none
        did. held_connections: connections that were opened while cut. All since `mark`."""
        return {
            "held_bytes": self.held_bytes + sum(flow.held_bytes() for flow in self.flows),
            "passed_bytes": self.passed_bytes,
            "passed_messages": self.passed_messages,
            "quiet_ms": round((time.monotonic() - self._quiet_since_s) * 1e3),
            "held_connections": self.held_connections,
        }


class Flow:
    """One direction of one connection: reads at its sender's end, writes at the other when due.

    on_end(end): called when what the sender ended with has been passed on, or could not be
    """

    def __init__(
        self, link: Link, source: socket.socket, *, client: bool, on_end: Callable[[End], None]
    ) -> None:
        self.link = link
        self.hold: CutKind | None = None
        # Whether a cut keeps its connection from being opened at all.
        self.kept_out = False
        # When traffic was first seen to be held back.
        self.stalled_s: float | None = None
        self._source = source
        self._sink: socket.socket | None = None
        self._opposite: Flow | None = None
        self._on_end = on_end
        self._frames = Frames(client=client)
        self._loop = asyncio.get_running_loop()
        # (when due, bytes, or how the flow ends; messages begun in them)
        self._queue: deque[tuple[float, bytes | End, int]] = deque()
        self._queued_bytes = 0
        self._last_due_s = 0.0
        self._messages = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._held_messages = 0
        self._ended = False
        self._reading = False
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None
        link.flows[self] = None
        self._read_on()

    def connect(self, sink: socket.socket, opposite: Flow, not_before_s: float) -> None:
        """There is somebody to write to from now on; nothing arrives there before `not_before_s`."""
        self._sink, self._opposite = sink, opposite
        self._queue = deque((max(due_s, not_before_s), what, count) for due_s, what, count in self._queue)
        self._last_due_s = max(self._last_due_s, not_before_s)
        self._pump()

    def close(self) -> None:
        """Ends the flow, whatever is left in it. Its evidence stays with the link."""
        self.link.held_bytes += self.held_bytes()
        self.link.flows.pop(self, None)
        self._ended = True
        self._read_no_more()
        self._write_no_more()
        self._queue.clear()

    # What a cut does.

    def keep_back(self, kind: CutKind) -> None:
        self.hold = kind
        if kind == "packets":
            self._write_no_more()
            if self._queue:
                self._stall()
        self._read_on()  # to see that there is something to keep back

    def release(self) -> None:
        """Lets go what was held back, in order."""
        self.hold, self.stalled_s = None, None
        if self._held:
            self._frames.admit_rest()
            self._enqueue(b"".join(self._held), self._held_messages)
            self._held, self._held_bytes, self._held_messages = [], 0, 0
        self._read_on()
        self._pump()

    def held_bytes(self) -> int:
        """What is seen waiting at a cut, here and in the kernel."""
        if self.hold == "packets":
            return self._held_bytes + self._queued_bytes + self.waiting_bytes()
        return self._held_bytes + (self._queued_bytes if self.kept_out else 0)

    def waiting_bytes(self) -> int:
        """How much waits in the kernel to be read (FIONREAD); it grows while its sender goes on."""
        try:
            waiting = fcntl.ioctl(self._source.fileno(), termios.FIONREAD, b"\0" * 4)
        except (OSError, ValueError):  # closed
            return 0
        return int(struct.unpack("i", waiting)[0])

    def _stall(self) -> None:
        if self.stalled_s is None:
            self.stalled_s = self._loop.time()

    # Reading.

    def _read_on(self) -> None:
        if not self._reading and not self._ended and self._source.fileno() >= 0:
            self._reading = True
            self._loop.add_reader(self._source, self._on_readable)

    def _read_no_more(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._source)

    def _on_readable(self) -> None:
        if self.hold == "packets":  # it stays where it is: its sender must not feel that it was taken
            self._stall()
            self._read_no_more()
            return
        try:
            data = self._source.recv(self.link.bytes_in(0.02, READ_BYTES))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.end(End.RESET)
            return
        if data:
            self._take(data)
        else:
            self.end(End.FIN)

    def _take(self, data: bytes) -> None:
        self._messages = 0
        passed, held = self._frames.split(data, self._admit)
        if held:
            self._stall()
            self._held.append(held)
            self._held_bytes += len(held)
        if passed:
            self._enqueue(passed, self._messages)
            self._pump()
        if self._queued_bytes >= self.link.bytes_in(0.2, QUEUE_BYTES) or self._held_bytes >= HELD_BYTES:
            self._read_no_more()

    def _admit(self, frame: Frame) -> bool:
        passes = self.hold != "messages" or self._frames.says_of_itself(frame)
        if frame.kind in (DATA, OPAQUE):
            if passes:
                self._messages += 1
            else:
                self._held_messages += 1
        return passes

    def end(self, end: End) -> None:
        """The sender has ended: that travels behind what it sent before. Behind messages that are held back
        it would never arrive, so there the connection is reset."""
        if self._ended:
            if end is End.RESET:
                self._reset_instead()
            return
        self._ended = True
        self._read_no_more()
        if self._sink is None:
            self._on_end(End.RESET)
            return
        self._enqueue(self._frames.rest(), 0)
        self._enqueue(End.RESET if self._held else end, 0)
        self._pump()

    def _reset_instead(self) -> None:
        """A sender that had ended in order turns out to be gone altogether."""
        if self._queue and self._queue[-1][1] is End.FIN:
            self._queue[-1] = (self._last_due_s, End.RESET, 0)
        else:
            self._on_end(End.RESET)

    # Writing.

    def _enqueue(self, what: bytes | End, messages: int) -> None:
        if what == b"":
            return
        size_bytes = len(what) if isinstance(what, bytes) else 0
        due_s = max(self._last_due_s, self.link.due_s(self._loop.time(), size_bytes))
        self._last_due_s = due_s
        self._queue.append((due_s, what, messages))
        self._queued_bytes += size_bytes
        if self.hold == "packets":
            self._stall()

    def _write_no_more(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._writing and self._sink:
            self._writing = False
            self._loop.remove_writer(self._sink)

    def _pump(self) -> None:
        """Writes what is due, and comes back when more is."""
        if self._sink is None or self.hold == "packets" or self._writing:
            return
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            due_s, what, messages = self._queue[0]
            if due_s > self._loop.time():
                self._timer = self._loop.call_at(due_s, self._pump)
                break
            if isinstance(what, End):
                self._queue.popleft()
                self._on_end(what)
                return
            if not self._write(due_s, what, messages):
                return
        if not self._ended and self._queued_bytes < self.link.bytes_in(0.1, QUEUE_BYTES // 2):
            self._read_on()

    def _write(self, due_s: float, data: bytes, messages: int) -> bool:
        """Writes the head of the queue; False where that was not possible in full."""
        assert self._sink is not None
        try:
            sent = self._sink.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:  # whoever should have read this is gone: its reset comes from the other side
            self._queue.clear()
            self._queued_bytes = 0
            if self._opposite:
                self._opposite.end(End.RESET)
            return False
        self.link.passed_bytes += sent
        self._queued_bytes -= sent
        if sent == len(data):
            self._queue.popleft()
            self.link.count_messages(messages)
            return True
        self._queue[0] = (due_s, data[sent:], messages)
        self._writing = True
        self._loop.add_writer(self._sink, self._on_writable)
        return False

    def _on_writable(self) -> None:
        self._write_no_more()
        self._pump()
