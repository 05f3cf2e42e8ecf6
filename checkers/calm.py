"""Whether the calm at a run's end was one."""

from __future__ import annotations

from checkers.history import History


def still_harmed(history: History) -> list[str]:
    """What was harmed when every fault had been healed: from then on the system can be blamed for nothing
    that needs time or a network."""
    return [f"{what}, though every fault was healed" for what in history.facts.get("still_harmed") or ()]
