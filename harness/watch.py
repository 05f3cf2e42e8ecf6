"""Watches a run from outside: what the nodes answer to Status, what the leader says of the workers, and
how late the harness' own event loop is."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.clock import Clock, now_s

STATUS_INTERVAL_S = 0.25
WORKERS_INTERVAL_S = 1.0
LOOP_TICK_S = 0.02


class Watch:
    """`status` is each node's latest answer; `loop_lag_ns` the worst lateness of our own event loop."""

    def __init__(self, cluster: Any, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self.observations: list[dict[str, Any]] = []
        self.worker_states: list[dict[str, Any]] = []
        self.status: dict[str, dict[str, Any]] = {}
        self.loop_lag_ns = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(STATUS_INTERVAL_S, self._observe))
            group.create_task(self._every(WORKERS_INTERVAL_S, self.ask_for_workers))
            if not self._clock.virtual:
                group.create_task(self._measure_lag())

    @property
    def leader(self) -> tuple[str, int] | None:
        """The leader of the highest term that lately said it was one."""
        leaders = [s for s in self.status.values() if s["role"] == "leader"]
        best = max(leaders, key=lambda s: s["term"], default=None)
        return (best["node"], best["term"]) if best is not None else None

    async def _observe(self) -> None:
        self.status = await self._cluster.statuses()
        now_ns = self._clock.now_ns()
        self.observations += ({"time_ns": now_ns, **answer} for answer in self.status.values())

    async def ask_for_workers(self) -> None:
        states = await self._cluster.worker_states()
        if states is not None:
            self.worker_states.append({"time_ns": self._clock.now_ns(), **states})

    async def _measure_lag(self) -> None:
        while True:
            due = self._clock.now_ns() + int(LOOP_TICK_S * 1e9)
            await asyncio.sleep(LOOP_TICK_S)
            self.loop_lag_ns = max(self.loop_lag_ns, self._clock.now_ns() - due)

    @staticmethod
    async def _every(interval_s: float, action: Any) -> None:
        while True:
            began = now_s()
            await action()
            await asyncio.sleep(max(0.0, interval_s - (now_s() - began)))
