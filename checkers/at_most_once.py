"""At most once: a command that was sent again takes effect once, and gets the first answer again
(Ongaro's thesis, §6.3)."""

from __future__ import annotations

from typing import Any

from checkers import events
from checkers.agreed_log import AgreedLog, Replay, agreed_log
from checkers.committed_log import want
from checkers.history import History
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import asker, name_call, name_event

NAME = "at-most-once"


def at_most_once(history: History) -> Verdict:
    log = agreed_log(history)
    replay = Replay(log)
    repeated = {command: indices for command, indices in replay.copies.items() if len(indices) > 1}
    # Over two logs there are two histories of every session; which of them is at fault is not for this
    # checker.
    split = [
        f"{name_event(a)} and {name_event(b)} disagree about the log itself" for a, b in log.disagreements
    ]
    anomalies = [] if split else [*_wrong_outcomes(log, replay), *_wrong_answers(history, replay)]
    duplicates = sum(len(indices) - 1 for indices in repeated.values())
    return conclude(
        NAME,
        f"{duplicates} repeated commands reached the log; none took effect again",
        anomalies=anomalies,
        unknown=[*split, *events.gaps(history)],
        vacuous=[]
        if duplicates
        else ["no repeated command reached the log, so nothing could have been applied twice"],
        evidence={"duplicates": duplicates, "commands": len(replay.copies)},
    )


def _wrong_outcomes(log: AgreedLog, replay: Replay) -> list[Anomaly]:
    """Where a node treated a command otherwise than its session demands."""
    anomalies = []
    for index, command in replay.commands.items():
        for outcome, event in log.outcomes[index].items():
            if outcome == command.outcome:
                continue
            first = replay.copies[command.client, command.seq][0]
            concerned: tuple[dict[str, Any], ...] = (event,)
            which = f"command {command.seq} of {command.client} at index {index}"
            story = f"{name_event(event)} took {which} as {outcome}"
            if outcome == "applied" and command.outcome in ("duplicate", "stale"):
                kind, why = (
                    "applied-twice",
                    f"it is {command.outcome}: a copy of it stands at index {first} already",
                )
                if first == index:
                    kind, why = "applied-stale", "a later command of its session stands before it"
                concerned = (log.entries[first], event)
            else:
                kind, why = "wrong-outcome", f"a replay of the log says {command.outcome}"
            anomalies.append(Anomaly(kind, f"{story}, but {why}", (), concerned, event["time_ns"]))
    return anomalies


def _wrong_answers(history: History, replay: Replay) -> list[Anomaly]:
    """A copy is answered with the index that the first took; and one operation is one effect, whatever
    the client called it."""
    anomalies = []
    for call in history.calls():
        wanted = want(call)
        effects = replay.effects.get(wanted, []) if wanted is not None else []
        if len(effects) > 1:
            message = f"{name_call(call)} took effect at log indices {', '.join(map(str, effects))}"
            anomalies.append(Anomaly("applied-twice", message, (call.invoke.index,), (), call.invoke.time_ns))
        answer = call.completion.witness if call.completion is not None else None
        command = replay.commands.get(answer) if answer is not None else None
        if command is None or command.want != wanted:
            continue
        first = replay.copies[command.client, command.seq][0]
        if answer != first:
            message = (
                f"{name_call(call)} ({asker(call)}) stands at log index {first}, but was answered with"
                f" {answer}, the index"
                " of its copy"
            )
            anomalies.append(Anomaly("wrong-answer", message, (call.invoke.index,), (), call.invoke.time_ns))
    return anomalies
