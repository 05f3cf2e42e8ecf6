"""Just enough HTTP/2 (RFC 9113, section 4) to tell what a connection says of itself from the messages on
it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

CLIENT_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES = 9

DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x0, 0x1, 0x4, 0x6, 0x7, 0x8, 0x9
# Not frames, but told like frames: the client's preface, and bytes of something that is not HTTP/2.
PREFACE, OPAQUE = -1, -2
ACK = 0x1
END_HEADERS = 0x4
# Passed whole or not at all, so that other frames may be put in before or after them. All are small.
_WHOLE = (PREFACE, SETTINGS, PING, GOAWAY, WINDOW_UPDATE)


class Frame(NamedTuple):
    """size_bytes: with its header."""

    kind: int
    flags: int
    stream: int
    size_bytes: int


class Frames:
    """Follows the frames of one direction of a connection, given its bytes in any pieces.

    client: this is the direction from the connection's client to its server
    """

    def __init__(self, *, client: bool) -> None:
        self._client = client
        self._began = False
        self._opaque = False
        self._pending = b""  # the start of a header, or of a frame that is passed whole
        self._left_bytes = 0  # of the frame that was begun
        self._admitted = True  # whether that frame passes
        # The highest stream that HEADERS named, and whether their CONTINUATION is still to come: of all, of
        # what passed.
        self._seen = self._passed = (0, False)

    def split(self, data: bytes, admit: Callable[[Frame], bool]) -> tuple[bytes, bytes]:
        """Returns (what passes, what is held back); asks `admit` once for each frame, when it begins.

        Frames that began before `admit` changed its mind keep the answer that they were given. Up to one
        header or small frame that is still incomplete is kept until the next call.
        """
        parts: tuple[list[bytes], list[bytes]] = ([], [])
        data = self._pending + data
        at = 0
        while at < len(data):
            if not self._left_bytes:
                frame = self._frame(data, at)
                if frame is None:
                    break
                self._left_bytes = frame.size_bytes
                self._admitted = admit(frame)
                self._note(frame)
            piece = data[at : at + self._left_bytes]
            parts[0 if self._admitted else 1].append(piece)
            at += len(piece)
            self._left_bytes -= len(piece)
        self._pending = data[at:]
        return b"".join(parts[0]), b"".join(parts[1])

    def says_of_itself(self, frame: Frame) -> bool:
        """Whether a frame is the connection's own talk, and fit to overtake messages that were held back.

        A WINDOW_UPDATE is one only where the peer knows its stream: on an unknown one it would be an error. A
        header block that began goes on to its end, since nothing may come between its frames.
        """
        if frame.kind == WINDOW_UPDATE:
            own = self._client and frame.stream % 2 == 1
            return not own or frame.stream <= self._passed[0]
        if frame.kind == CONTINUATION:
            return self._passed[1]
        return frame.kind in _WHOLE

    def admit_rest(self) -> None:
        """What was held back has been let go: the rest of a frame of which a part was held follows it."""
        self._admitted = True
        self._passed = self._seen

    def rest(self) -> bytes:
        """What is left where the connection ended in mid-frame."""
        rest, self._pending = self._pending, b""
        return rest

    def _note(self, frame: Frame) -> None:
        if frame.kind in (HEADERS, CONTINUATION):
            self._seen = (max(self._seen[0], frame.stream), not frame.flags & END_HEADERS)
            if self._admitted:
                self._passed = self._seen

    def _frame(self, data: bytes, at: int) -> Frame | None:
        """The frame that begins here, or None where more bytes are needed to tell."""
        if not self._began and not self._opaque:
            self._opaque = not self._could_begin(data[at:])
        if self._opaque:
            return Frame(OPAQUE, 0, 0, len(data) - at)
        if not self._began and self._client:
            if len(data) - at < len(CLIENT_PREFACE):
                return None
            self._began = True
            return Frame(PREFACE, 0, 0, len(CLIENT_PREFACE))
        header = data[at : at + HEADER_BYTES]
        if len(header) < HEADER_BYTES:
            return None
        frame = parse(header)
        if frame.kind in _WHOLE and len(data) - at < frame.size_bytes:
            return None
        self._began = True
        return frame

    def _could_begin(self, data: bytes) -> bool:
        """Whether a connection may begin so: a client with the preface, a server with a small SETTINGS
        frame."""
        if self._client:
            return CLIENT_PREFACE.startswith(data[: len(CLIENT_PREFACE)])
        return data[0] == 0 and (len(data) < 4 or data[3] == SETTINGS)


def parse(header: bytes) -> Frame:
    """Reads a frame's 9-byte header."""
    stream = int.from_bytes(header[5:9], "big") & 0x7FFF_FFFF
    return Frame(header[3], header[4], stream, HEADER_BYTES + int.from_bytes(header[:3], "big"))


def build(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """Writes a frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
