"""Linearizability against the log that the nodes agreed on.

Every acknowledged operation names the log index it took, so the order to check is claimed and need not be
searched for: operations must stand in the log in their real-time order, and must have seen and done what a
replay of the log up to that index says (Herlihy and Wing's definition, with the order as a witness).
"""

from __future__ import annotations

from typing import Any

from checkers import events
from checkers.agreed_log import AgreedLog, Command, Replay, Want, agreed_log
from checkers.history import Call, History
from checkers.real_time import Placed, out_of_order
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import asker, name_call, name_entry, name_event, shown

NAME = "committed-log"
# The history's commands, and what they are called in the log.
COMMANDS = {"append": "append", "write": "put", "cas": "cas"}


def committed_log(history: History) -> Verdict:
    log = agreed_log(history)
    judge = _Judge(history, log)
    judge.judge_log()
    for call in judge.calls:
        judge.judge_call(call)
    judge.judge_order()
    return conclude(
        NAME,
        f"{judge.acknowledged} acknowledged operations stand in the log of {log.end} entries in real-time"
        " order, and"
        " saw what it says",
        anomalies=judge.anomalies,
        unknown=[*judge.gaps, *judge.unknown],
        vacuous=[] if judge.acknowledged else ["no operation was acknowledged"],
        evidence={"acknowledged": judge.acknowledged, "log_end": log.end, "placed": len(judge.placed)},
    )


def want(call: Call) -> Want | None:
    """What a command wants, as the log says it; None for reads and anything else."""
    op = COMMANDS.get(call.invoke.f)
    if op is None:
        return None
    key, value = call.invoke.value
    return (op, str(key), str(value[1] if op == "cas" else value))


class _Judge:
    """placed: calls with their place in the log, for the real-time order."""

    def __init__(self, history: History, log: AgreedLog) -> None:
        self.log = log
        self.replay = Replay(log)
        self.calls = [
            call for call in history.calls() if call.invoke.f in COMMANDS or call.invoke.f == "read"
        ]
        self.gaps = events.gaps(history)
        self.placed: list[Placed] = []
        self.anomalies: list[Anomaly] = []
        self.unknown: list[str] = []
        self.acknowledged = 0
        # Written more than once, so the log cannot tell whose it is.
        self._ambiguous: dict[Want, None] = {}

    # The log by itself

    def judge_log(self) -> None:
        for before, after in self.log.disagreements:
            self._add(
                "diverged-log",
                f"there is no one log: at index {before['index']} {name_event(before)} applied"
                f" {name_entry(before)}, and"
                f" {name_event(after)} applied {name_entry(after)}",
                concerned=(before, after),
            )
        self._judge_effects()
        beyond = len(self.log.entries) - self.log.end
        if beyond:
            self.unknown.append(
                f"no node left word of index {self.log.end + 1} of the log, so {beyond} entries after it"
                " cannot be replayed"
            )

    def _judge_effects(self) -> None:
        """Nothing takes effect twice, and nothing that nobody asked for."""
        asked: dict[Want, Call] = {}
        for call in self.calls:
            wanted = want(call)
            if wanted is not None and asked.setdefault(wanted, call) is not call:
                self._ambiguous[wanted] = None
                self.unknown.append(
                    f"{name_call(asked[wanted])} and {name_call(call)} write the same value, so the log"
                    " cannot tell them apart"
                )
        keys = {str(call.invoke.value[0]) for call in self.calls}
        for wanted, indices in self.replay.effects.items():
            asker_call = asked.get(wanted)
            if asker_call is None and wanted[1] in keys:
                self._add(
                    "unasked",
                    f"the log holds {wanted[0]} of {wanted[2]} to {wanted[1]} at index {indices[0]},"
                    " which nobody invoked",
                    concerned=(self.log.entries[indices[0]],),
                )
            elif asker_call is not None and len(indices) > 1:
                self._add(
                    "duplicate-apply",
                    f"{name_call(asker_call)} took effect more than once: at log indices"
                    f" {', '.join(map(str, indices))}",
                    asker_call,
                    concerned=tuple(self.log.entries[index] for index in indices),
                )

    # Call by call

    def judge_call(self, call: Call) -> None:
        self.acknowledged += call.type == "ok"
        wanted = want(call)
        if wanted is None:
            if call.type == "ok":
                self._judge_read(call)
            return
        if wanted in self._ambiguous:
            return
        effects = self.replay.effects.get(wanted, [])
        if call.type == "ok":
            self._judge_acknowledged(call, wanted, effects)
        elif call.type == "fail":
            self._judge_refused(call, wanted, effects)
        elif effects:
            self._place(call, effects[0])

    def _judge_acknowledged(self, call: Call, wanted: Want, effects: list[int]) -> None:
        index = _witness(call)
        if effects:
            self._place(call, effects[0])
            if index is not None and index not in effects:
                self._add(
                    "wrong-index",
                    f"{name_call(call)} ({asker(call)}) was acknowledged at log index {index}, but it"
                    " took effect at"
                    f" {effects[0]}; at {index} the log holds {self._entry(index)}",
                    call,
                )
            return
        command = self.replay.commands.get(index) if index is not None else None
        if command is not None and command.want == wanted:
            self._judge_ineffective(call, command)
        elif self.gaps and (index is None or index > self.log.end):
            self._not_in_evidence(call)
        else:
            at = "" if index is None else f" at log index {index}, where the log holds {self._entry(index)}"
            self._add(
                f"lost-{call.invoke.f}",
                f"{name_call(call)} ({asker(call)}) was acknowledged{at}; it is nowhere in the log",
                call,
            )

    def _judge_ineffective(self, call: Call, command: Command) -> None:
        """Acknowledged, and in its place in the log, but a replay says that it changed nothing there."""
        if command.outcome == "applied":
            reason = f"the register held {shown(command.seen)}, not {shown(command.expected)}"
        else:
            reason = f"its session made it {command.outcome}"
        self._add(
            f"lost-{call.invoke.f}",
            f"{name_call(call)} ({asker(call)}) was acknowledged at log index {command.index}, but"
            " changed nothing there:"
            f" {reason}",
            call,
            concerned=(self.log.entries[command.index],),
        )

    def _judge_refused(self, call: Call, wanted: Want, effects: list[int]) -> None:
        index = _witness(call)
        if effects:
            self._add(
                "refused-yet-applied",
                f"{name_call(call)} ({asker(call)}) was refused"
                f" ({call.completion and call.completion.error}), yet it took"
                f" effect at log index {effects[0]}",
                call,
                concerned=(self.log.entries[effects[0]],),
            )
        elif index is None:
            return  # refused before it reached the log
        elif index > self.log.end and self.gaps:
            self._not_in_evidence(call)
        elif (command := self.replay.commands.get(index)) is None or command.want != wanted:
            self._add(
                "wrong-index",
                f"{name_call(call)} ({asker(call)}) was answered a mismatch at log index {index}, where"
                " the log holds"
                f" {self._entry(index)}",
                call,
            )
        else:
            self._place(call, self.replay.copies[command.client, command.seq][0])

    def _judge_read(self, call: Call) -> None:
        index = _witness(call)
        if index is None:
            self.unknown.append(
                f"{name_call(call)} names no log index, so what it should have seen is not known"
            )
            return
        if index > self.log.end:
            if self.gaps or index in self.log.entries:
                self._not_in_evidence(call)
            else:
                message = (
                    f"{name_call(call)} ({asker(call)}) was served from applied index {index}, which no node"
                    " ever applied"
                )
                self._add("wrong-index", message, call)
            return
        self._place(call, index)
        assert call.completion is not None  # it is ok
        key, seen = call.completion.value
        if isinstance(seen, list):
            expected = self.replay.items(key, index)
            if seen != expected:
                self._add_wrong_list(call, index, expected, seen)
        else:
            text = self.replay.register(key, index)
            if text != (None if seen is None else str(seen)):
                self._add(
                    "wrong-content",
                    f"{name_call(call)} ({asker(call)}) returned {shown(seen)} from applied index"
                    f" {index}, where the log"
                    f" says {shown(text)}",
                    call,
                )

    def _add_wrong_list(self, call: Call, index: int, expected: list[Any], seen: list[Any]) -> None:
        same = next((i for i, (a, b) in enumerate(zip(expected, seen, strict=False)) if a != b), None)
        at = min(len(expected), len(seen)) if same is None else same
        says = f"{expected[at]}" if at < len(expected) else "the end"
        has = f"{seen[at]}" if at < len(seen) else "the end"
        again = " for the second time" if at < len(seen) and seen[at] in seen[:at] else ""
        self._add(
            "wrong-content",
            f"{name_call(call)} ({asker(call)}) was served from applied index {index}, where the log says"
            " that element"
            f" {at} of {len(expected)} is {says}; it returned {has}{again}",
            call,
        )

    # The order

    def judge_order(self) -> None:
        for earlier, later in out_of_order(self.placed):
            then = _story(earlier)
            if later.is_command:
                self._add(
                    "real-time-order",
                    f"{name_call(later.call)} ({asker(later.call)}) was invoked after {then}, yet it took"
                    " effect at"
                    f" {later.place}",
                    earlier.call,
                    later.call,
                )
            else:
                self._add(
                    "stale-read",
                    f"{name_call(later.call)} ({asker(later.call)}) began after {then}, yet it was served"
                    " from applied"
                    f" index {later.place}, which {self._lacks(earlier, later)}",
                    earlier.call,
                    later.call,
                )

    def _lacks(self, earlier: Placed, later: Placed) -> str:
        key, earlier_key = later.call.invoke.value[0], earlier.call.invoke.value[0]
        if earlier.is_command and key == earlier_key and earlier.call.type == "ok":
            return "lacks it"
        return "is older"

    # Helpers

    def _place(self, call: Call, index: int) -> None:
        self.placed.append(Placed(call, index, is_command=call.invoke.f != "read"))

    def _entry(self, index: int) -> str:
        entry = self.log.entries.get(index)
        return name_entry(entry) if entry is not None else "nothing that any node ever applied"

    def _not_in_evidence(self, call: Call) -> None:
        index = _witness(call)
        where = "" if index is None else f" (log index {index})"
        self.unknown.append(
            f"{name_call(call)} was acknowledged{where}, but the nodes' event logs do not reach that far"
        )

    def _add(self, kind: str, message: str, *calls: Call, concerned: tuple[dict[str, Any], ...] = ()) -> None:
        ops = tuple(call.invoke.index for call in calls)
        time_ns = calls[-1].invoke.time_ns if calls else concerned[-1]["time_ns"]
        self.anomalies.append(Anomaly(kind, message[0].upper() + message[1:], ops, concerned, time_ns))


def _witness(call: Call) -> int | None:
    return call.completion.witness if call.completion is not None else None


def _story(earlier: Placed) -> str:
    call = earlier.call
    if not earlier.is_command:
        return f"{name_call(call)} ({asker(call)}) had been served from applied index {earlier.place}"
    how = "acknowledged" if call.type == "ok" else "answered"
    return f"{name_call(call)} was {how} at log index {earlier.place}"
