"""`python gateway_ping.py ADDRESS COUNT INTERVAL_S TIMEOUT_S`: ICMP echoes; the other kernel answers them.

Prints [[sequence number, round trip in ms], …] of the answers in the order in which they came, those that
came twice twice, those with a wrong checksum not at all. Waits TIMEOUT_S after the last request, or until
every request has its answer.
"""

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time

_PAYLOAD = bytes(48)


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(number: int, sequence: int) -> bytes:
    def header(check: int) -> bytes:
        return struct.pack("!BBHHH", 8, 0, check, number, sequence)

    return header(checksum(header(0) + _PAYLOAD)) + _PAYLOAD


def answered(packet: bytes, number: int) -> int | None:
    """The sequence number that this packet answers, if it is an answer to us and unharmed."""
    message = packet[(packet[0] & 0x0F) * 4 :]
    kind, _, _, to, sequence = struct.unpack("!BBHHH", message[:8])
    return sequence if kind == 0 and to == number and checksum(message) == 0 else None


def main(address: str, count: int, interval_s: float, timeout_s: float) -> None:
    with contextlib.suppress(OSError):  # a busy host would delay us, and so be measured with the gateway
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    number = os.getpid() & 0xFFFF
    sent_s: list[float] = []
    answers: list[tuple[int, float]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        start_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if len(sent_s) < count:
                next_s = start_s + len(sent_s) * interval_s
            else:
                next_s = sent_s[-1] + timeout_s
                if now_s >= next_s or {sequence for sequence, _ in answers} == set(range(count)):
                    break
            if now_s >= next_s:
                sent_s.append(now_s)
                raw.sendto(request(number, len(sent_s) - 1), (address, 0))
            elif select.select([raw], [], [], next_s - now_s)[0]:
                sequence = answered(raw.recv(65_536), number)
                if sequence is not None:
                    answers.append((sequence, (time.monotonic() - sent_s[sequence]) * 1000))
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
