"""One real node process: what it keeps, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

from system.client import Append, Read
from system.control_plane.wal_format import encode_header
from tests.control_plane.nodes import CLUSTER, Nodes

NODE = "cp-aws-1"
ELEMENTS = [str(i) for i in range(100)]


async def append_all(nodes: Nodes) -> list[int]:
    """The indexes the elements took."""
    client = nodes.client("writer", attempt_timeout_s=5.0)
    await client.open(15.0)
    indexes = [(await client.submit(Append("list", element))).index for element in ELEMENTS]
    await client.close()
    return indexes


async def read_all(nodes: Nodes) -> tuple[str, ...]:
    client = nodes.client("reader", attempt_timeout_s=5.0)
    await client.open(15.0)
    answer = await client.submit(Read("list"))
    await client.close()
    return answer.items


def test_hundred_appends_survive_kill_9_and_sigterm_ends_well(tmp_path: Path) -> None:
    with Nodes(tmp_path, 1) as nodes:
        indexes = asyncio.run(append_all(nodes))
        assert indexes == list(range(indexes[0], indexes[0] + 100))
        nodes.kill(NODE)
        log = nodes.data(NODE) / "wal.jsonl"
        log.write_bytes(log.read_bytes() + b'{"frame":')  # what a write cut short leaves
        nodes.start(NODE)
        assert list(asyncio.run(read_all(nodes))) == ELEMENTS
        nodes.processes[NODE].send_signal(signal.SIGTERM)
        assert nodes.wait(NODE) == 0
        lines = nodes.log(NODE)
        assert [line["msg"] for line in lines if line["level"] != "INFO"] == [
            "cut a torn write off the end of the log: a frame cut short after 9 bytes"
        ]
        for line in lines:
            assert {"ts", "mono_ns", "level", "node", "term", "msg"} <= line.keys()
        messages = [line["msg"] for line in lines]
        assert f"{NODE} transitioned from Follower to Candidate (term 1)" in messages
        assert f"{NODE} transitioned from Candidate to Leader (term 1)" in messages
        assert [line["boot"] for line in lines if line["msg"] == "node ready"] == [1, 2]
        assert nodes.stderr(NODE).read_text() == ""


@pytest.mark.parametrize("damage", ["corrupt", "foreign"])
def test_a_log_that_must_not_be_used_is_one_error_line_and_exit_3(tmp_path: Path, damage: str) -> None:
    nodes = Nodes(tmp_path, 1)
    nodes.data(NODE).mkdir()
    header = encode_header(CLUSTER, NODE if damage == "corrupt" else "cp-gcp-1")
    (nodes.data(NODE) / "wal.jsonl").write_bytes(header + b'{"frame":1}\n')
    with nodes:
        assert nodes.wait(NODE) == 3
        (error,) = nodes.log(NODE)
        assert error["level"] == "ERROR"
        expected = {"corrupt": "wal.jsonl, line 2 (byte ", "foreign": "belongs to node 'cp-gcp-1'"}
        assert expected[damage] in error["msg"] and "traceback" not in str(error).lower()
        assert nodes.stderr(NODE).read_text() == ""


FAILING_SYNC = """
import os, sys, errno
from system.control_plane.node_process import main
sync, left = os.fdatasync, [5]
def failing(fd):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.EIO, "Input/output error")
    sync(fd)
os.fdatasync = failing
sys.exit(main())
"""


def test_a_failing_disk_ends_the_node_loudly_with_exit_4(tmp_path: Path) -> None:
    with Nodes(tmp_path, 1, command=[sys.executable, "-c", FAILING_SYNC]) as nodes:

        async def append_until_it_dies() -> int:
            client = nodes.client("writer", attempt_timeout_s=5.0)
            await client.open(15.0)
            acknowledged = 0
            try:
                while True:
                    await client.submit(Append("list", str(acknowledged)))
                    acknowledged += 1
            except Exception:
                return acknowledged
            finally:
                await client.close()

        acknowledged = asyncio.run(append_until_it_dies())
        assert nodes.wait(NODE) == 4
        last = nodes.log(NODE)[-1]
        assert last["level"] == "ERROR" and "Input/output error" in last["msg"]
        synced = int.from_bytes((nodes.data(NODE) / "wal.synced").read_bytes(), "little")
        durable = (nodes.data(NODE) / "wal.jsonl").read_bytes()[:synced]
        assert durable.count(b'"op\\":\\"append') >= acknowledged


@pytest.mark.parametrize("name", ["LISTEN_ADDR", "HTTP_ADDR"])
def test_a_taken_port_is_one_line_and_exit_2(tmp_path: Path, name: str) -> None:
    nodes = Nodes(tmp_path, 1)
    address = nodes.grpc[NODE] if name == "LISTEN_ADDR" else nodes.http[NODE]
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))), nodes:
        assert nodes.wait(NODE) == 2
        assert nodes.stderr(NODE).read_text().count("\n") == 1
        assert name in nodes.stderr(NODE).read_text()
