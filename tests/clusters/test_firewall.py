"""The firewall: which rules it makes, what it reads of them, and that they really drop packets."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from system.clusters import firewall
from system.clusters.engine import Condition
from system.clusters.errors import ClusterError
from system.clusters.firewall import CHAIN, Firewall
from tests.clusters.lab import finish
from tests.required import lacking

A, B, C = "cp-aws-1", "cp-gcp-1", "worker-gcp-1"
HOMES = {A: "127.0.10.1", B: "127.0.20.1", C: "127.0.20.2"}
LISTING = f"""\
Chain {CHAIN} (1 references)
    pkts      bytes target     prot opt in     out     source               destination
       3      180 DROP       0    --  *      *       {HOMES[A]}           0.0.0.0/0
       7      420            0    --  *      *       {HOMES[A]}           0.0.0.0/0
      10      600            0    --  *      *       {HOMES[C]}           0.0.0.0/0
"""


class Paper:
    """An engine whose containers run no command, but tell which they should. input: what INPUT holds."""

    def __init__(self, input: str = "-P INPUT ACCEPT") -> None:
        self.pids = {A: 11, B: 12, C: 13}
        self.restored: list[list[str]] = []
        self.commands: list[str] = []
        self.broken = False
        self._input = input

    async def condition(self, name: str) -> Condition:
        return condition(self.pids[name])

    async def run(self, name: str, argv: Sequence[str]) -> str:
        await asyncio.sleep(0)
        command, *text = argv[2].split("\n")
        if self.broken:
            raise ClusterError(f"{name} is broken")
        if command.startswith("iptables-restore -w --noflush"):
            self.restored.append(text[1 : text.index("COMMIT")])
            return ""
        self.commands.append(command.removesuffix(" <<'END'"))
        return self._input if "-S INPUT" in command else LISTING if "-nvxL" in command else ""

    @property
    def last(self) -> list[str]:
        return self.restored[-1]


def condition(pid: int, id: str = "no such id") -> Condition:
    return Condition(id, pid, "running" if pid else "exited", 0, 0)


async def prepared(engine: Paper, *sites: str) -> Firewall:
    made = Firewall(engine, HOMES, lambda site: site)  # type: ignore[arg-type]
    for site in sites:
        await made.prepare(site, condition(engine.pids[site]))
    return made


def test_a_site_counts_what_comes_from_everybody_else() -> None:
    async def test() -> None:
        engine = Paper()
        await prepared(engine, B)
        assert engine.last == [
            f":{CHAIN} - [0:0]",
            f"-A {CHAIN} -s {HOMES[A]}",
            f"-A {CHAIN} -s {HOMES[C]}",
        ]
        assert engine.commands == ["iptables -w -S INPUT", f"iptables -w -I INPUT -j {CHAIN}"]

    finish(test())


@pytest.mark.parametrize(
    ("there", "inserted"),
    [
        (f"-P INPUT ACCEPT\n-A INPUT -j {CHAIN}\n", 0),
        (f"-P INPUT ACCEPT\n-A INPUT -j {CHAIN}-LEGS-IN\n", 1),
        (f"-P INPUT ACCEPT\n-A INPUT -j {CHAIN}-LEGS-IN\n-A INPUT -j {CHAIN}\n", 0),
    ],
)
def test_the_chain_is_entered_once_whatever_others_are_called(there: str, inserted: int) -> None:
    async def test() -> None:
        engine = Paper(there)
        await prepared(engine, B)
        assert engine.commands.count(f"iptables -w -I INPUT -j {CHAIN}") == inserted

    finish(test())


def test_cuts_and_mends_are_idempotent_and_fall_on_whom_a_link_leads_to() -> None:
    async def test() -> None:
        engine = Paper()
        made = await prepared(engine, A, B)
        engine.restored.clear()
        await made.cut([(A, B), (C, B), (B, A), (A, B)])
        assert sorted(engine.restored) == [
            [f"-I {CHAIN} -s {HOMES[A]} -j DROP", f"-I {CHAIN} -s {HOMES[C]} -j DROP"],
            [f"-I {CHAIN} -s {HOMES[B]} -j DROP"],
        ]
        engine.restored.clear()
        await made.cut([(A, B)])
        assert engine.restored == []
        await made.mend([(A, B), (A, C)])
        await made.mend([(A, B)])
        assert engine.restored == [[f"-D {CHAIN} -s {HOMES[A]} -j DROP"]]

    finish(test())


def test_a_site_that_starts_again_is_cut_again() -> None:
    async def test() -> None:
        engine = Paper()
        made = await prepared(engine, B)
        await made.cut([(A, B)])
        made.gone(B)
        count = len(engine.restored)
        await made.cut([(C, B)])
        await made.mend([(A, B)])
        assert len(engine.restored) == count and await made.counts([(A, B)]) == {(A, B): (0, 0)}
        await made.prepare(B, condition(99))
        assert [rule for rule in engine.last if "DROP" in rule] == [f"-A {CHAIN} -s {HOMES[C]} -j DROP"]

    finish(test())


def test_a_cut_that_comes_while_a_site_starts_is_made_after_that() -> None:
    async def test() -> None:
        engine = Paper()
        made = await prepared(engine)
        await asyncio.gather(made.prepare(B, condition(12)), made.cut([(A, B)]), made.counts([(A, B)]))
        assert engine.last == [f"-I {CHAIN} -s {HOMES[A]} -j DROP"]
        assert "-nvxL" in engine.commands[-1], "there is no chain to list before"

    finish(test())


def test_what_is_dropped_and_what_passes_is_counted_apart() -> None:
    async def test() -> None:
        made = await prepared(Paper(), B)
        assert await made.counts([(A, B), (C, B), (B, A)]) == {
            (A, B): (180, 420),
            (C, B): (0, 600),
            (B, A): (0, 0),
        }

    finish(test())


def test_a_command_that_fails_is_an_error_but_not_of_a_site_that_has_ended() -> None:
    async def test() -> None:
        engine = Paper()
        made = await prepared(engine, B)
        engine.broken = True
        with pytest.raises(ClusterError, match=f"{B} is broken"):
            await made.cut([(A, B)])
        engine.pids[B] = 0
        await made.cut([(A, B)])
        assert await made.counts([(A, B)]) == {(A, B): (0, 0)}
        engine.broken = False
        await made.prepare(B, condition(99))
        assert f"-A {CHAIN} -s {HOMES[A]} -j DROP" in engine.last

    finish(test())


def test_a_cut_that_failed_is_not_in_force_and_needs_no_mending() -> None:
    async def test() -> None:
        engine = Paper()
        made = await prepared(engine, B)
        engine.broken = True
        with pytest.raises(ClusterError):
            await made.cut([(A, B)])
        engine.restored.clear()
        engine.broken = False
        await made.mend([(A, B)])
        assert engine.restored == []

    finish(test())


SEND = """
import socket, sys
source, destination = sys.argv[1:]
with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
    receiver.bind((destination, 0))
    sender.bind((source, 0))
    sender.sendto(b"x", receiver.getsockname())
    receiver.settimeout(0.2)
    try:
        receiver.recv(1)
        print("arrived")
    except TimeoutError:
        print("dropped")
"""


class Namespace:
    """A network namespace with a process in it, as a container is one, which sends to itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.run("ip", "link", "set", "lo", "up")
        self.process = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "1000"])
        self.condition = Condition(
            Path(f"/proc/{self.process.pid}/cgroup").read_text(), self.process.pid, "running", 0, 0
        )

    def run(self, *argv: str) -> str:
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *argv], capture_output=True, text=True, check=True
        ).stdout

    def reached_from(self, site: str) -> bool:
        return self.run(sys.executable, "-c", SEND, HOMES[site], HOMES[B]) == "arrived\n"

    @property
    def chains(self) -> str:
        return self.run("iptables", "-S")


class Outside:
    """An engine that runs commands in the namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    async def condition(self, name: str) -> Condition:
        return self._namespace.condition

    async def run(self, name: str, argv: Sequence[str]) -> str:
        return await asyncio.to_thread(self._namespace.run, *argv)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    name = f"crosswind-test-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if os.geteuid() != 0 or made.returncode != 0:
        reason = f"no network namespace can be made here: {made.stderr.strip()}"
        lacking("netns", "network namespaces", reason)
    try:
        there = Namespace(name)
        yield there
        there.process.kill()
        there.process.wait()
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.parametrize("way", ["by the host", "through the engine"])
def test_packets_of_a_link_that_is_cut_are_really_dropped(
    namespace: Namespace, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sites are addresses of one loopback interface here."""
    if way == "through the engine":
        monkeypatch.setattr(firewall, "_at_hand", lambda condition: False)
    else:
        assert firewall._at_hand(namespace.condition)
    clean = namespace.chains

    async def test() -> None:
        made = Firewall(Outside(namespace), HOMES, lambda site: site)  # type: ignore[arg-type]
        await made.prepare(B, namespace.condition)
        assert await made.still_cut() == []
        await made.cut([(A, B)])
        assert await made.still_cut() == [f"{A}->{B} is still harmed: cut"]
        assert [namespace.reached_from(site) for site in (A, C)] == [False, True]
        counts = await made.counts([(A, B), (C, B)])
        assert counts[A, B][0] > 0 and counts[A, B][1] == 0
        assert counts[C, B][0] == 0 and counts[C, B][1] > 0
        await made.prepare(B, namespace.condition)
        assert namespace.chains.count(f"-A INPUT -j {CHAIN}\n") == 1
        assert not namespace.reached_from(A)
        await made.mend([(A, B)])
        assert namespace.reached_from(A)
        assert await made.still_cut() == []
        await made.open()
        assert namespace.chains == clean

    finish(test())
