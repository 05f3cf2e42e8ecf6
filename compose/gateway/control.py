"""The control socket: its server, which the delayer's loop serves in between, and its client.

`python -m compose.gateway.control` copies standard input to the socket and what it answers to standard
output, until both have ended. `python -m compose.gateway.control status` asks for the status once, and exits
with 1 if there is none: a health check.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from compose.gateway.config import socket_path

_CHUNK_BYTES = 65_536
# The longest request.
MOST_BYTES = 1 << 20
MOST_CLIENTS = 64
HEALTH_TIMEOUT_S = 5.0
STARTED_WITHIN_S = 30.0


class _Client:
    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.asked = bytearray()
        self.answers = bytearray()
        self.finished = False  # it has asked all it will

    @property
    def waits(self) -> bool:
        """It has asked what is not answered yet, or has not taken all answers."""
        return bool(self.answers) or b"\n" in self.asked


class ControlServer:
    """Answers each line that clients of the unix socket at `path` send. Never waits."""

    def __init__(self, path: Path, answer: Callable[[bytes], bytes]) -> None:
        """Raises OSError."""
        self._answer = answer
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        self._listener.setblocking(False)
        self._clients: dict[int, _Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)

    def waited_for(self) -> tuple[list[int], list[int]]:
        asked = [fd for fd, client in self._clients.items() if not client.finished and not client.waits]
        answered = [fd for fd, client in self._clients.items() if client.waits]
        if len(self._clients) < MOST_CLIENTS:
            asked.append(self._listener.fileno())
        return asked, answered

    def serve(self, readable: Sequence[int], writable: Sequence[int]) -> None:
        for fd in {*readable, *writable}:
            if fd == self._listener.fileno():
                self._accept()
                continue
            client = self._clients[fd]
            try:
                self._serve(client, fd in readable)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                client.finished = True
                client.asked.clear()
                client.answers.clear()
            if client.finished and not client.waits:
                del self._clients[fd]
                client.socket.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has given up meanwhile
            return
        connection.setblocking(False)
        self._clients[connection.fileno()] = _Client(connection)

    def _serve(self, client: _Client, readable: bool) -> None:
        if readable:
            data = client.socket.recv(_CHUNK_BYTES)
            client.finished = not data
            client.asked += data or b"\n"
        # One line at a turn, so that packets wait for one answer at most.
        line, ended, rest = client.asked.partition(b"\n")
        if ended:
            client.asked = rest
            if line.strip():
                client.answers += self._answer(bytes(line))
        elif len(client.asked) > MOST_BYTES:
            raise OSError("a line without end")
        if client.answers:
            del client.answers[: client.socket.send(client.answers)]


def pump(path: Path, source: int, sink: int) -> None:
    """Copies file descriptor `source` to the socket and its answers to `sink`, until the server has answered
    all. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _connect(connection, path)
        inputs = [source, connection.fileno()]
        while True:
            readable, _, _ = select.select(inputs, [], [])
            if source in readable:
                if data := os.read(source, _CHUNK_BYTES):
                    connection.sendall(data)
                else:
                    inputs.remove(source)
                    connection.shutdown(socket.SHUT_WR)
            if connection.fileno() in readable:
                if not (answers := connection.recv(_CHUNK_BYTES)):
                    return
                os.write(sink, answers)


def _connect(connection: socket.socket, path: Path) -> None:
    """Waits for a gateway that is starting. Raises OSError."""
    deadline_s = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            return connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)


def ask_status(path: Path) -> str:
    """The answer's line. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(HEALTH_TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(b'{"verb": "status"}\n')
        with connection.makefile(encoding="utf-8") as answers:
            return answers.readline().rstrip("\n")


def main(arguments: Sequence[str]) -> int:
    path = socket_path(os.environ)
    try:
        if list(arguments) == ["status"]:
            print(ask_status(path))
        elif arguments:
            print("usage: python -m compose.gateway.control [status]", file=sys.stderr)
            return 2
        else:
            pump(path, sys.stdin.fileno(), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"the gateway does not answer at {path}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
