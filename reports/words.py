"""A run in words: what the terminal and the page both say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from checkers.history import Call, Op
from checkers.verdict import Validity, Verdict
from checkers.words import count

# A run's verdict, shouted; a checker's own is the validity's value.
OUTCOME = {
    Validity.YES: "PASS",
    Validity.NO: "FAIL",
    Validity.UNKNOWN: "UNKNOWN",
    Validity.VACUOUS: "VACUOUS",
}
# A shape for each, so that nothing is told by colour alone.
MARK = {Validity.YES: "✓", Validity.NO: "✕", Validity.UNKNOWN: "?", Validity.VACUOUS: "○"}

_LIST_EDGE = 4
_TEXT_LIMIT = 200


def number(value: float) -> str:
    """12,345 or 0.25: a figure for people."""
    if value == round(value):
        return f"{round(value):,}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def figure(name: str, value: Any) -> tuple[str, str]:
    """A named JSON value as (name, text), its unit moved from the name to the text: ("bound", "15 s") of
    bound_s and 15."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return name.replace("_", " "), compact(value)
    if name.endswith("_ns"):
        return name.removesuffix("_ns").replace("_", " "), duration(round(value))
    unit = next((unit for unit in ("s", "ms", "bytes") if name.endswith(f"_{unit}")), None)
    if unit is None:
        return name.replace("_", " "), number(value)
    return name.removesuffix(f"_{unit}").replace("_", " "), f"{number(value)} {unit}"


def duration(ns: int) -> str:
    """850 µs, 12.3 ms, 109 ms, 1.24 s, 31.2 s, 2 min 05 s."""
    if ns >= 99_950_000_000:
        minutes, seconds = divmod(round(ns / 1e9), 60)
        return f"{minutes} min {seconds:02d} s"
    for unit, size in (("s", 10**9), ("ms", 10**6)):
        if ns >= 0.9995 * size:
            value = ns / size
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"
    return f"{ns / 1000:.0f} µs"


def tick_duration(ns: int) -> str:
    """1 ms, 200 ms, 5 s: a duration that is a round number."""
    unit, size = next((u, s) for u, s in (("s", 10**9), ("ms", 10**6), ("µs", 10**3), ("ns", 1)) if ns >= s)
    return f"{ns // size:,} {unit}"


def moment(ns: int) -> str:
    """12.345 s: a moment on the run's own axis."""
    return f"{ns / 1e9:.3f} s"


def compact(value: Any) -> str:
    """A JSON value on one line; the middle of a long list, and the end of a long text, are left out."""
    return _shorten(_compact(value))


def _compact(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        items = [_compact(item) for item in value]
        if len(items) > 2 * _LIST_EDGE + 1:
            items[_LIST_EDGE:-_LIST_EDGE] = [f"… {len(items) - 2 * _LIST_EDGE:,} more …"]
        return f"[{', '.join(items)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_compact(item)}" for key, item in value.items()) + "}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shorten(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"


def describe_call(call: Call) -> str:
    """append [3, 41], or read [3, null] → [3, [40, 41]] where the completion says more."""
    said = f"{call.invoke.f} {compact(call.invoke.value)}"
    if call.completion is None or call.completion.value == call.invoke.value:
        return said
    return f"{said} → {compact(call.completion.value)}"


def describe_outcome(call: Call) -> str:
    """ok, log index 17; info, timed out; info, never completed."""
    completion = call.completion
    if completion is None:
        return "info, never completed"
    index = f"log index {completion.witness}" if completion.witness is not None else ""
    return ", ".join(part for part in (completion.type, index, _shorten(completion.error or "")) if part)


def describe_nemesis(op: Op) -> str:
    """partition: inject isolate-leader on cp-aws-1; held back 812 bytes."""
    value = op.value if isinstance(op.value, dict) else {"summary": compact(op.value)}
    where = f" on {', '.join(map(str, value['nodes']))}" if value.get("nodes") else ""
    summary = f"; {value['summary']}" if value.get("summary") else ""
    return f"{op.f}: {value.get('action', '')} {value.get('target', '')}{where}{summary}"


def describe_event(event: dict[str, Any]) -> str:
    """A line of a node's event log (docs/event-log.md) as a sentence without its subject."""
    try:
        return _shorten(_SENTENCES[event["event"]](event))
    except (KeyError, TypeError, ValueError, IndexError):
        return compact(
            {key: value for key, value in event.items() if key not in ("v", "node", "seq", "time_ns")}
        )


def _appended(event: dict[str, Any]) -> str:
    first, last = event["entries"][0], event["entries"][-1]
    recovered = " read back from the WAL" if event.get("recovered") else ""
    if first[0] == last[0]:
        return f"appended index {first[0]} (term {first[1]}, {first[2]}, digest {first[3]}){recovered}"
    return (
        f"appended {len(event['entries'])} entries, index {first[0]} to {last[0]} (term {last[1]}){recovered}"
    )


def _command(event: dict[str, Any]) -> str:
    return f"{event['kind']} {event['command']}".strip()


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "boot": lambda e: (
        f"started (boot {e['boot']}) with term {e['term']}, vote {compact(e['voted_for'])}, "
        f"log up to index {e['last_index']} of term {e['last_term']}"
    ),
    "term": lambda e: f"entered term {e['term']}",
    "vote": lambda e: f"voted for {e['for']} in term {e['term']}",
    "role": lambda e: f"became {e['role']} of term {e['term']} (was {e['from']})",
    "append": _appended,
    "truncate": lambda e: f"removed index {e['from_index']} and everything above it",
    "commit": lambda e: f"committed up to index {e['index']}, as {e['role']} of term {e['term']}",
    "apply": lambda e: f"applied index {e['index']} (term {e['term']}, {_command(e)}): {e['outcome']}",
}


def headline(validity: Validity, verdicts: Sequence[Verdict], covered: str, status: str) -> str:
    """The run's conclusion in one sentence. `covered` says how much was covered, for a run that passed."""
    decisive = [verdict for verdict in verdicts if verdict.valid is validity]
    if not verdicts:
        crashed = status.partition("crashed: ")[2]
        return f"The run was not judged: {crashed or 'it is not finished'}."
    if validity is Validity.YES:
        return f"No contradiction found: {_all(len(verdicts))} over {covered}."
    others = f" (and {count(len(decisive) - 1, 'other checker')})" if len(decisive) > 1 else ""
    first = decisive[0]
    if validity is Validity.NO:
        return first_sentence(first.anomalies[0].message)
    could_not = (
        "could not decide" if validity is Validity.UNKNOWN else "shows nothing: it could not have failed"
    )
    return f"{first.checker}{others} {could_not}: {first_sentence(first.summary)}"


def _all(how_many: int) -> str:
    return "the one checker says yes" if how_many == 1 else f"all {how_many} checkers say yes"


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    head, stop, _ = text.partition(". ")
    return head + stop.strip()


def reproduction(meta: dict[str, Any]) -> tuple[str, str]:
    """The line that runs this run's plan again, and what to expect of it."""
    cluster = str(plan_of(meta).get("cluster", "local"))
    expect = "the same every time" if cluster == "sim" else "may take several tries"
    return str(meta.get("command") or "(the command was not recorded)"), f"{expect} ({cluster})"


def plan_of(meta: dict[str, Any]) -> dict[str, Any]:
    """The plan as recorded; empty where the run has none."""
    plan = meta.get("plan")
    return plan if isinstance(plan, dict) else {}
