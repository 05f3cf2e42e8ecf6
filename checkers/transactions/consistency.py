"""Which anomalies a consistency model forbids.

After Adya (Weak Consistency, 1999), Bailis et al. (Highly Available Transactions, 2013), Cerone et al.
(CONCUR 2015), Daudjee and Salem (ICDE 2004), put together as Elle does (Kingsbury and Alvaro, VLDB 2020, §5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from checkers.history import HistoryError

DEFAULT = "strict-serializable"

# A model, the weaker models that it includes, and what it forbids beyond those.
_MODELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "read-uncommitted": ((), ("G0", "duplicate-elements", "cyclic-versions", "garbage-read")),
    "read-committed": (("read-uncommitted",), ("G1",)),
    "cursor-stability": (("read-committed",), ("lost-update",)),
    "monotonic-atomic-view": (("read-committed",), ()),
    "read-atomic": (("monotonic-atomic-view",), ("internal", "future-read")),
    "update-atomic": (("read-atomic",), ("lost-update",)),
    "parallel-snapshot-isolation": (("update-atomic",), ()),
    "consistent-view": (("cursor-stability",), ("G-single",)),
    "repeatable-read": (("cursor-stability", "monotonic-atomic-view"), ("G2-item",)),
    "snapshot-isolation": (("consistent-view", "parallel-snapshot-isolation"), ("G-nonadjacent",)),
    "serializable": (("repeatable-read", "snapshot-isolation"), ("G2",)),
    "strong-session-read-uncommitted": (("read-uncommitted",), ("G0-process",)),
    "strong-session-read-committed": (
        ("read-committed", "strong-session-read-uncommitted"),
        ("G1-process",),
    ),
    "strong-session-snapshot-isolation": (
        ("snapshot-isolation", "strong-session-read-committed"),
        ("G-nonadjacent-process",),
    ),
    "strong-session-serializable": (
        ("serializable", "strong-session-snapshot-isolation"),
        ("G2-process",),
    ),
    "strong-read-uncommitted": (("strong-session-read-uncommitted",), ("G0-realtime",)),
    "strong-read-committed": (
        ("strong-session-read-committed", "strong-read-uncommitted"),
        ("G1-realtime",),
    ),
    "strong-snapshot-isolation": (
        ("strong-session-snapshot-isolation", "strong-read-committed"),
        ("G-nonadjacent-realtime",),
    ),
    "strict-serializable": (
        ("strong-session-serializable", "strong-snapshot-isolation"),
        ("G2-realtime",),
    ),
}
MODELS = tuple(_MODELS)
_WEAKER = {name: weaker for name, (weaker, _) in _MODELS.items()}
# Other names that people have for them.
ALIASES = {
    "PL-1": "read-uncommitted",
    "PL-2": "read-committed",
    "PL-CS": "cursor-stability",
    "PL-2+": "consistent-view",
    "PL-2.99": "repeatable-read",
    "PL-SI": "snapshot-isolation",
    "PL-3": "serializable",
    "conflict-serializable": "serializable",
    "PL-SS": "strict-serializable",
    "strong-serializable": "strict-serializable",
}

# Kinds of cycles: each comes as it is, and with edges of process order or of real time as well.
CYCLES = ("G0", "G1c", "G-single-item", "G-nonadjacent-item", "G2-item")
PLAIN, PROCESS, REALTIME = "", "-process", "-realtime"
VARIANTS = (PLAIN, PROCESS, REALTIME)
CYCLE_KINDS = tuple(kind + variant for variant in VARIANTS for kind in CYCLES)

# An anomaly, and the weaker ones of which it is an instance.
_VARIED = {
    "G0": ("G1c",),
    "G1c": ("G1",),
    "G1": (),
    "G-single-item": ("G-single", "G-nonadjacent-item"),
    "G-single": ("G-nonadjacent",),
    "G-nonadjacent-item": ("G-nonadjacent", "G2-item"),
    "G-nonadjacent": ("G2",),
    "G2-item": ("G2",),
    "G2": (),
}
_IMPLIES: dict[str, set[str]] = {
    "G1a": {"G1"},
    "G1b": {"G1"},
    # Two reads that fit no one order mean that one of them saw what was never committed.
    "incompatible-order": {"G1a"},
    "dirty-update": {"G1a"},
    "future-read": {"G1c"},
    "lost-update": {"G2-item"},
    "internal": set(),
    "garbage-read": set(),
    "duplicate-elements": set(),
    "cyclic-versions": set(),
}
for _kind, _weaker in _VARIED.items():
    for _at, _variant in enumerate(VARIANTS):
        _IMPLIES[_kind + _variant] = {weaker + _variant for weaker in _weaker}
        _IMPLIES[_kind + _variant] |= {_kind + later for later in VARIANTS[_at + 1 : _at + 2]}
ANOMALIES = tuple(_IMPLIES)


def implied(kinds: Iterable[str]) -> frozenset[str]:
    """The anomalies given, and every one of which they are instances."""
    return _closure(kinds, _IMPLIES)


def forbidden(consistency: str | None = DEFAULT, anomalies: Iterable[str] | None = None) -> frozenset[str]:
    """The anomalies that the model and the list forbid, with every special case of them. A list alone, with
    consistency None, forbids only what it names. Raises HistoryError for a name that there is not."""
    asked: set[str] = set()
    if consistency is not None:
        for model in _closure([model_named(consistency)], _WEAKER):
            asked.update(_MODELS[model][1])
    for name in anomalies or ():
        if name not in _IMPLIES:
            raise HistoryError(f"no anomaly is called {name!r}; there are {', '.join(sorted(_IMPLIES))}")
        asked.add(name)
    return frozenset(kind for kind in _IMPLIES if not asked.isdisjoint(implied([kind])))


def model_named(consistency: str) -> str:
    """The model's own name. Raises HistoryError."""
    name = ALIASES.get(consistency, consistency)
    if name not in _MODELS:
        raise HistoryError(f"no consistency model is called {consistency!r}; there are {', '.join(MODELS)}")
    return name


def ruled_out(kinds: Iterable[str]) -> list[str]:
    """The weakest models that a history with these anomalies breaks; it breaks all stronger ones too."""
    found = implied(kinds)
    broken = {model for model in MODELS if not found.isdisjoint(forbidden(model))}
    return [
        model for model in MODELS if model in broken and broken.isdisjoint(_closure(_WEAKER[model], _WEAKER))
    ]


def _closure(names: Iterable[str], steps: Mapping[str, Iterable[str]]) -> frozenset[str]:
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += steps[name]
    return frozenset(reached)
