"""Where everything listens: a block of loopback addresses, leased so that parallel runs never meet.

Block b is 127.77.b.0/24: site i listens on 127.77.b.i with the usual ports, and dials site j through the
link listener 127.77.b.(100 + i), port 16000 + j. Where only 127.0.0.1 can be bound (macOS), block b is 128
ports on it instead. An object store's ports are shared by no two blocks: it insists on having them on every
address. All ports lie below the ephemeral range, so no outgoing connection can take one by chance.

A lease is an flock on a file of the user's own; the kernel drops it when its last holder is gone. Holders are
the
supervisor and, through an inherited descriptor, its children: a block is free only when nobody is left on it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from system.clusters.errors import ClusterError

NETWORK = "127.77"
GRPC_PORT = 15051
HTTP_PORT = 18080
LINK_PORT = 16000
BLOCKS = 128
_STORE_PORT = 13000
_STORE_PORTS = 16
_ONE_ADDRESS_PORT = 16384
_ONE_ADDRESS_PORTS = 128

Address = tuple[str, int]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Book:
    """Who listens where. links: {(source, destination): where the source dials the destination}.
    grpc: a node's gRPC services; a store's S3 server."""

    grpc: dict[str, Address]
    http: dict[str, Address]
    links: dict[Pair, Address]


@dataclass(frozen=True, slots=True)
class Lease:
    """A block of addresses that is ours as long as `lock_fd` is open, with the links' listeners already
    bound."""

    number: int
    book: Book
    listeners: dict[Pair, socket.socket]
    lock_fd: int


def lease(nodes: Sequence[str], dials: Sequence[Pair], stores: Sequence[str] = ()) -> Lease:
    """Takes the first free block for these nodes, these (source, destination) links and at most one store.

    Raises ClusterError where none of the 128 blocks is free.
    """
    reason = ""
    for number in range(BLOCKS):
        lock_fd = _lock(number)
        if lock_fd is None:
            continue
        book = plan(number, nodes, dials, stores, one_address=not _can_bind(f"{NETWORK}.{number}.1"))
        try:
            return Lease(number, book, _occupy(book), lock_fd)
        except OSError as error:  # a stranger is on one of its ports
            reason = reason or str(error)
            os.close(lock_fd)
    raise ClusterError(
        f"no block of loopback addresses is free: all {BLOCKS} are leased (locks in {_lock_directory()}) "
        f"or hold a taken port ({reason or 'none tried'}); end other runs, or whoever listens there"
    )


def plan(
    number: int, nodes: Sequence[str], dials: Sequence[Pair], stores: Sequence[str] = (), *, one_address: bool
) -> Book:
    """The addresses of block `number`: on 127.77.number.0/24, or as ports of 127.0.0.1."""
    store_port = store_ports(number)[-1]
    if one_address:
        ports = iter(range(_ONE_ADDRESS_PORT + number * _ONE_ADDRESS_PORTS, 2**16))
        return Book(
            grpc={node: ("127.0.0.1", next(ports)) for node in nodes}
            | dict.fromkeys(stores, ("127.0.0.1", store_port)),
            http={node: ("127.0.0.1", next(ports)) for node in nodes},
            links={pair: ("127.0.0.1", next(ports)) for pair in dials},
        )
    places = {
        site: i
        for i, site in enumerate(dict.fromkeys([*nodes, *stores, *(s for pair in dials for s in pair)]), 1)
    }
    return Book(
        grpc={node: (f"{NETWORK}.{number}.{places[node]}", GRPC_PORT) for node in nodes}
        | {store: (f"{NETWORK}.{number}.{places[store]}", store_port) for store in stores},
        http={node: (f"{NETWORK}.{number}.{places[node]}", HTTP_PORT) for node in nodes},
        links={(a, b): (f"{NETWORK}.{number}.{100 + places[a]}", LINK_PORT + places[b]) for a, b in dials},
    )


def store_ports(number: int) -> range:
    """Block `number`'s ports for an object store: the last for its S3 server, the others for its parts."""
    first = _STORE_PORT + number * _STORE_PORTS
    return range(first, first + _STORE_PORTS)


def _occupy(book: Book) -> dict[Pair, socket.socket]:
    """Binds every link's listener, and sees that the nodes' own ports are free. Raises OSError where one is
    taken."""
    listeners: dict[Pair, socket.socket] = {}
    try:
        for pair, address in book.links.items():
            listeners[pair] = listen(address)
        for address in (*book.grpc.values(), *book.http.values()):
            listen(address).close()
    except OSError:
        for listener in listeners.values():
            listener.close()
        raise
    return listeners


def listen(address: Address) -> socket.socket:
    """A non-blocking listener. Raises OSError that names the address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Passes over connections of an earlier run in TIME_WAIT; two listeners still exclude each other.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{address[0]}:{address[1]}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _can_bind(host: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
    return True


def _lock(number: int) -> int | None:
    lock_fd = os.open(_lock_directory() / f"block-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_fd)
        return None
    return lock_fd


def _lock_directory() -> Path:
    directory = Path(tempfile.gettempdir()) / f"crosswind-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise ClusterError(f"{directory} belongs to somebody else; remove it, or set TMPDIR")
    return directory
