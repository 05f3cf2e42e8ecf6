"""Cuts links between containers: packets dropped where they arrive, in each node's network namespace.

A cut of a->b drops at b what comes from a's home address, and counts it: the count is the proof. The host
does it with nsenter, where the engine's processes are its own; elsewhere (Docker Desktop) through the engine.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from system.clusters.addresses import Pair
from system.clusters.engine import Condition, Engine
from system.clusters.errors import ClusterError

CHAIN = "CROSSWIND"


class Firewall:
    """homes: {site: its address}. container(site): its container's name."""

    def __init__(self, engine: Engine, homes: Mapping[str, str], container: Callable[[str], str]) -> None:
        self._engine = engine
        self._homes = homes
        self._container = container
        self._conditions: dict[str, Condition] = {}
        # By where they are: whose packets are dropped there; and one change at a time.
        self._cuts: defaultdict[str, list[str]] = defaultdict(list)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def prepare(self, site: str, condition: Condition) -> None:
        """Makes the chain of a site that has just started, counting what comes from everybody, and cuts again
        what is to be cut there. Idempotent: what an earlier harness left there goes."""
        async with self._locks[site]:
            self._conditions[site] = condition
            rules = [f"-A {CHAIN} -s {self._homes[a]} -j DROP" for a in self._cuts[site]]
            rules += [f"-A {CHAIN} -s {home}" for other, home in self._homes.items() if other != site]
            await self._restore(site, [f":{CHAIN} - [0:0]", *rules])
            jumps = await self._run(site, ["iptables", "-w", "-S", "INPUT"])
            if f"-A INPUT -j {CHAIN}" not in jumps.splitlines():  # others' chains begin with its name
                await self._run(site, ["iptables", "-w", "-I", "INPUT", "-j", CHAIN])

    def gone(self, site: str) -> None:
        """It runs no more: its rules went with its namespace, and come back with `prepare`."""
        self._conditions.pop(site, None)

    async def open(self) -> None:
        """Takes the chain away everywhere, as if it had never been."""
        for site in list(self._conditions):
            await self._run(site, ["iptables", "-w", "-D", "INPUT", "-j", CHAIN])
            await self._restore(site, [f":{CHAIN} - [0:0]", f"-X {CHAIN}"])

    async def cut(self, links: Sequence[Pair]) -> None:
        """Each takes effect at one moment for all links that arrive at a site."""
        await self._change(links, cut=True)

    async def mend(self, links: Sequence[Pair]) -> None:
        """Idempotent."""
        await self._change(links, cut=False)

    async def counts(self, links: Sequence[Pair]) -> dict[Pair, tuple[int, int]]:
        """{link: (bytes dropped, bytes passed)} since the site that it leads to was prepared; of a site that
        does not run, (0, 0)."""
        sites = list(dict.fromkeys(b for _, b in links))
        listed = dict(zip(sites, await asyncio.gather(*map(self._list, sites)), strict=True))
        return {(a, b): listed[b].get(self._homes[a], (0, 0)) for a, b in links}

    async def still_cut(self) -> list[str]:
        """As the rules say of every site that runs."""
        sites = list(self._conditions)
        listed = await asyncio.gather(*(self._run(site, ["iptables", "-w", "-S", CHAIN]) for site in sites))
        names = {home: site for site, home in self._homes.items()}
        return [
            f"{names.get(source, source)}->{site} is still harmed: cut"
            for site, rules in zip(sites, listed, strict=True)
            for source in _dropped(rules)
        ]

    async def _change(self, links: Sequence[Pair], *, cut: bool) -> None:
        sources: defaultdict[str, list[str]] = defaultdict(list)
        for a, b in dict.fromkeys(links):
            sources[b].append(a)
        await asyncio.gather(*(self._change_at(site, of, cut=cut) for site, of in sources.items()))

    async def _change_at(self, site: str, sources: Sequence[str], *, cut: bool) -> None:
        async with self._locks[site]:
            there = self._cuts[site]
            changed = [a for a in sources if (a in there) != cut]
            if not changed:
                return
            how = "-I" if cut else "-D"
            await self._restore(site, [f"{how} {CHAIN} -s {self._homes[a]} -j DROP" for a in changed])
            for a in changed:
                (there.append if cut else there.remove)(a)

    async def _list(self, site: str) -> dict[str, tuple[int, int]]:
        """{source address: (bytes dropped, bytes passed)}."""
        async with self._locks[site]:
            listed = await self._run(site, ["iptables", "-w", "-nvxL", CHAIN])
        found: dict[str, tuple[int, int]] = {}
        for line in listed.splitlines()[2:]:
            words = line.split()
            drops, source = "DROP" in words, words[-2].removesuffix("/32")
            dropped, passed = found.get(source, (0, 0))
            amount = int(words[1])
            found[source] = (dropped + amount, passed) if drops else (dropped, passed + amount)
        return found

    async def _restore(self, site: str, rules: Sequence[str]) -> None:
        text = "\n".join(["*filter", *rules, "COMMIT", ""])
        await self._run(site, ["iptables-restore", "-w", "--noflush"], text)

    async def _run(self, site: str, argv: Sequence[str], text: str = "") -> str:
        """What the command says to `text`; "" of a site that does not run, or ends meanwhile."""
        condition = self._conditions.get(site)
        if condition is None:
            return ""
        try:
            if _at_hand(condition):
                return await _on_host(site, condition.pid, argv, text)
            return await self._in_container(site, argv, text)
        except ClusterError:
            now = await self._engine.condition(self._container(site))
            if self._conditions.get(site) is condition and now.pid == condition.pid:
                raise
            return ""

    async def _in_container(self, site: str, argv: Sequence[str], text: str) -> str:
        command = f"{shlex.join(argv)} <<'END'\n{text}END\n"
        return await self._engine.run(self._container(site), ["sh", "-c", command])


def _dropped(rules: str) -> list[str]:
    """Whose packets they drop: `-A CHAIN -s 10.0.0.1/32 -j DROP`."""
    words = [rule.split() for rule in rules.splitlines()]
    return [rule[rule.index("-s") + 1].removesuffix("/32") for rule in words if rule[-1:] == ["DROP"]]


async def _on_host(site: str, pid: int, argv: Sequence[str], text: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("nsenter", "-t", str(pid), "-n", *argv),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(text.encode())
    if process.returncode != 0:
        said = errors.decode("utf-8", "replace").strip()
        raise ClusterError(f"`{' '.join(argv)}` for {site} ended with code {process.returncode}: {said}")
    return output.decode("utf-8", "replace")


def _at_hand(condition: Condition) -> bool:
    """Whether the container's processes are this host's, and we may enter their namespaces."""
    return (
        os.geteuid() == 0
        and shutil.which("nsenter") is not None
        and shutil.which("iptables-restore") is not None
        and _belongs(condition)
    )


def _belongs(condition: Condition) -> bool:
    try:
        return condition.id in Path(f"/proc/{condition.pid}/cgroup").read_text()
    except OSError:
        return False
