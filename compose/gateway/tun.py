"""A TUN device: what the kernel routes into it is read here; what is written here the kernel routes on."""

from __future__ import annotations

import fcntl
import os
import struct

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000


def open_tun(name: str) -> int:
    """The device's non-blocking file descriptor; the device goes when it is closed. Raises OSError."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return fd


def flip_bit(packet: bytes, where: float) -> bytes | None:
    """The packet with one bit of what follows its IP header flipped, at `where` (0 to 1) of it; its checksum
    stays, so that the receiver can notice. None if nothing follows."""
    header_bytes = (packet[0] & 0x0F) * 4
    bits = (len(packet) - header_bytes) * 8
    if bits <= 0:
        return None
    bit = header_bytes * 8 + int(where * bits)
    flipped = bytearray(packet)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
