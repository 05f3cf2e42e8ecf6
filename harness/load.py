"""Drives the load: logical clients, one operation at a time each, recorded as they go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Protocol

from checkers.history import OpType
from harness.clock import now_s
from harness.plan import Plan
from harness.recorder import Recorder
from system.client import Refused, Service, Unresolved
from workloads.append import Lists
from workloads.workload import Workload

OPEN_TIMEOUT_S = 5.0
WRITES = ("append", "write")
ASK_TWICE = 0.1  # share of a retrying client's commands that are sent again although answered
PAUSE_S = 0.05  # before an operation that was refused is tried again
COMMANDS_EVERY_S = 0.5  # the control plane's, where the workload is the workers'


class Carrier(Protocol):
    """A client as system.client.Client and system.object_client.ObjectClient are, wherever it runs."""

    async def open(self, deadline_s: float) -> None: ...
    async def submit(self, request: Any, *, ask_twice: bool = False) -> Any: ...
    async def close(self) -> None: ...


class Target(Protocol):
    """What the load needs of a cluster."""

    @property
    def client_sites(self) -> tuple[str, ...]: ...
    def addresses(self, site: str) -> Mapping[str, str]: ...
    def worker_addresses(self, site: str) -> Mapping[str, str]: ...
    def client(
        self, site: str, *, client_id: str, pinned: str | None, retry: bool, service: Service
    ) -> Carrier: ...


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one process at a time: where it is, and how it behaves.

    Slots go through the client sites in turn. Every other one retries; of each four, two follow the leader
    (or go from worker to worker) and two are pinned to their own cloud's node, so that twelve have every
    behaviour in every place. Those that are pinned and do not retry only read: a write to a leader that was
    cut off hangs, and whoever waits for it sees nothing of what goes wrong there.
    """

    number: int
    site: str
    pinned: str | None = None
    retry: bool = False
    reads_only: bool = False
    service: Service = "control-plane"

    @classmethod
    def of(cls, number: int, cluster: Target, service: Service) -> Slot:
        sites = cluster.client_sites
        site = sites[number % len(sites)]
        cloud = site.split("-")[1]
        nodes = cluster.addresses(site) if service == "control-plane" else cluster.worker_addresses(site)
        own = next((node for node in nodes if node.split("-")[1] == cloud), None)
        pinned, retry = number % 4 >= 2, number % 2 == 0
        return cls(number, site, own if pinned else None, retry, pinned and not retry, service)


class Load:
    """The processes of one run. `run` returns when the time is up and every process has stopped.

    Where workers carry the workload out, one process more appends to lists of its own, so that there is
    something to be seen of the control plane.
    """

    def __init__(self, plan: Plan, workload: Workload, cluster: Target, recorder: Recorder) -> None:
        self._plan = plan
        self._workload = workload
        self._by_service: dict[Service, Workload] = {"control-plane": Lists(), workload.service: workload}
        self._cluster = cluster
        self._recorder = recorder
        self._draws = Random(f"{plan.seed}/workload/{plan.workload}")
        self._slots = [Slot.of(number, cluster, workload.service) for number in range(plan.concurrency)]
        if workload.service != "control-plane":
            self._slots.append(Slot(plan.concurrency, cluster.client_sites[0]))
        self._next_process = len(self._slots)

    async def run(self, stop: asyncio.Event) -> None:
        self._stopped = asyncio.ensure_future(stop.wait())
        try:
            async with asyncio.TaskGroup() as group:
                for slot in self._slots:
                    group.create_task(self._occupy(slot, stop))
        finally:
            self._stopped.cancel()

    async def command(self, deadline_s: float, *, ask_twice: bool = False) -> bool:
        """Has the control plane acknowledge one drawn write; whether that came in time. Is anyone in
        charge?"""
        writes = [self._draw_write]
        return await self._insist("control-plane", writes, deadline_s, ask_twice=ask_twice) == 1

    async def final_reads(self, deadline_s: float) -> tuple[int, int]:
        """Reads everything that was ever written to once more; returns (wanted, answered)."""
        reads = self._workload.final_reads()
        draws = [partial(_same, read) for read in reads]
        return len(reads), await self._insist(self._workload.service, draws, deadline_s)

    async def _insist(
        self,
        service: Service,
        draws: Sequence[Callable[[], tuple[str, Any]]],
        deadline_s: float,
        *,
        ask_twice: bool = False,
    ) -> int:
        """Draws each until it is ok, one after another, by a client that follows the leader, or goes from
        worker to worker; returns how many were within the time. It never asks for the same again: a write in
        doubt may have happened, and one value written twice tells nobody which of the two was read."""
        deadline = now_s() + deadline_s
        slot = Slot(0, self._cluster.client_sites[0], service=service)
        process, client, done = 0, None, 0
        try:
            while done < len(draws) and now_s() < deadline:
                if client is None:
                    process = self._new_process()
                    client = await self._open(slot, process)
                    continue
                kind = await self._operate(client, slot, process, *draws[done](), ask_twice=ask_twice)
                done += kind == "ok"
                if kind == "fail":
                    await asyncio.sleep(PAUSE_S)
                if kind == "info":
                    await client.close()
                    client = None
        finally:
            if client is not None:
                await client.close()
        return done

    async def _occupy(self, slot: Slot, stop: asyncio.Event) -> None:
        """One process after another in this slot; each lives until an operation's fate is unknown."""
        pace = Random(f"{self._plan.seed}/pace/{slot.number}")
        is_load = slot.service == self._workload.service
        mean_s = self._plan.concurrency / self._plan.rate if is_load else COMMANDS_EVERY_S
        due = now_s() + pace.random() * mean_s
        process = slot.number
        while not stop.is_set():
            client = await self._open(slot, process)
            if client is None:
                process = self._new_process()
                continue
            try:
                alive = True
                while alive:
                    if due > now_s() and not stop.is_set():
                        await asyncio.wait((self._stopped,), timeout=due - now_s())
                    if stop.is_set():
                        return
                    due = max(due + pace.uniform(0.5, 1.5) * mean_s, now_s())
                    f, value = self._draw(slot)
                    twice = slot.retry and pace.random() < ASK_TWICE
                    alive = await self._operate(client, slot, process, f, value, ask_twice=twice) != "info"
            finally:
                await client.close()
            process = self._new_process()

    async def _open(self, slot: Slot, process: int) -> Carrier | None:
        client = self._cluster.client(
            slot.site,
            client_id=f"p{process}",
            pinned=slot.pinned,
            retry=slot.retry,
            service=slot.service,
        )
        try:
            await client.open(OPEN_TIMEOUT_S)
        except (Refused, Unresolved):
            await client.close()
            return None
        return client

    def _draw(self, slot: Slot) -> tuple[str, Any]:
        if slot.service != self._workload.service:
            return self._draw_write()
        return self._workload.draw(self._draws, reads_only=slot.reads_only)

    def _draw_write(self) -> tuple[str, Any]:
        """One for the control plane."""
        workload = self._by_service["control-plane"]
        f, value = workload.draw(self._draws)
        while f not in WRITES:
            f, value = workload.draw(self._draws)
        return f, value

    async def _operate(
        self, client: Carrier, slot: Slot, process: int, f: str, value: Any, *, ask_twice: bool
    ) -> OpType:
        """Invokes and records one operation; returns its completion's type."""
        workload = self._by_service[slot.service]
        request = workload.request(f, value)
        self._recorder.invoke(process, f, value, slot.pinned)
        try:
            answer = await client.submit(request, ask_twice=ask_twice)
        except Refused as refusal:
            self._recorder.complete(process, "fail", f, value, refusal.node, error=str(refusal))
            return "fail"
        except Unresolved as doubt:
            self._recorder.complete(process, "info", f, value, doubt.node, error=str(doubt))
            return "info"
        except BaseException as broken:
            # Cancelled, or a bug of ours: what became of the operation is not known either way.
            self._recorder.complete(process, "info", f, value, slot.pinned, error=repr(broken))
            raise
        kind, seen = workload.outcome(f, value, answer)
        error = "mismatch" if kind == "fail" else None
        self._recorder.complete(process, kind, f, seen, answer.node, error=error, witness=answer.index)
        return kind

    def _new_process(self) -> int:
        self._next_process += 1
        return self._next_process - 1


def _same(operation: tuple[str, Any]) -> tuple[str, Any]:
    return operation
