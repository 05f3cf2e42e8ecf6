"""Carries a schedule out against a cluster, records it, and always heals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from harness.clock import now_s
from harness.recorder import Recorder
from nemesis import NEMESES
from nemesis.nemesis import Evidence, Step


class Harm:
    """One run's faults. `now` names those at work, for the live line."""

    def __init__(
        self, schedule: Sequence[Step], cluster: Any, recorder: Recorder, time_limit_s: float
    ) -> None:
        self._schedule = schedule
        self._time_limit_s = time_limit_s
        self._cluster = cluster
        self._recorder = recorder
        self._open: dict[int, Step] = {}
        # What went wrong, in words; and the numbers of the steps for which the time was up.
        self.errors: list[str] = []
        self.left_out: list[int] = []

    @property
    def now(self) -> list[str]:
        return [f"{step.nemesis} {step.target}" for step in self._open.values()]

    async def run(self) -> None:
        """Plays the schedule. Each nemesis has a timeline of its own, so that a slow step of one does not
        delay another's."""
        names = dict.fromkeys(step.nemesis for step in self._schedule)
        began = now_s()
        async with asyncio.TaskGroup() as group:
            for name in names:
                steps = [step for step in self._schedule if step.nemesis == name]
                group.create_task(self._play(steps, began))

    async def heal(self) -> None:
        """Heals what is still broken, whatever happened before; errors are kept, and the rest is healed."""
        for number in list(self._open):
            step = self._open[number]
            await self._act(Step(number, step.at_s, step.nemesis, "heal", step.target, step.options))

    async def _play(self, steps: Sequence[Step], began: float) -> None:
        """A fault lasts as long as the schedule says, even where the one before took longer than planned to
        end and this one begins late; one that could only begin after the time is up is left out."""
        injected: dict[int, tuple[Step, float]] = {}
        for step in steps:
            if step.action == "inject":
                await _sleep_until(began + step.at_s)
                if now_s() >= began + self._time_limit_s:
                    self.left_out.append(step.number)
                    continue
                await self._act(step)
                injected[step.number] = step, now_s()
            elif step.number in injected:
                begun, since = injected.pop(step.number)
                await _sleep_until(since + step.at_s - begun.at_s)
                await self._act(step)

    async def _act(self, step: Step) -> None:
        nemesis = NEMESES[step.nemesis]
        act: Callable[..., Any] = nemesis.inject if step.action == "inject" else nemesis.heal
        said = {"step": step.number, "action": step.action, "target": step.target}
        if step.action == "inject":
            self._open[step.number] = step
        self._recorder.nemesis("invoke", step.nemesis, said)
        failed = None
        try:
            evidence: Evidence = await act(self._cluster, step)
        except Exception as error:
            failed = f"{step.action} failed: {error}"
            self.errors.append(f"{step.nemesis} {step.target}: {failed}")
            evidence = Evidence(took_effect=False, nodes=(), summary=failed)
        finally:
            if step.action == "heal":
                self._open.pop(step.number, None)
        self._recorder.nemesis(
            "info",
            step.nemesis,
            said
            | {
                "nodes": list(evidence.nodes),
                "took_effect": evidence.took_effect,
                "summary": evidence.summary,
                "evidence": evidence.facts,
            },
            failed,
        )


async def _sleep_until(due: float) -> None:
    await asyncio.sleep(max(0.0, due - now_s()))
