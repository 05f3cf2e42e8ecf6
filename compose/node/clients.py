"""How the harness' clients' container starts: a user for each cloud, whose packets leave by that cloud's leg.

| uid | stands in | reaches other clouds |
|---|---|---|
| 2000 | nowhere: it watches from outside | directly, past the gateway |
| 2001, 2002, 2003 | aws, gcp, azure | by that cloud's gateway, as a worker there does |

Then it waits: the harness starts what it needs with `docker exec --user`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from compose.node.hosts import name_homes
from compose.node.legs import CLOUDS, CommandError, Leg, find_legs, flush_routes, run
from compose.node.user import become

OBSERVER = 2000
USERS = {cloud: OBSERVER + number for number, cloud in enumerate(CLOUDS, 1)}
READY = Path("/run/ready")


def main() -> None:
    try:
        legs = find_legs()
        for leg in legs.values():
            stand_in(leg, USERS[leg.cloud])
        run("ip", "route", "del", "default")
        name_homes()
    except CommandError as error:
        sys.exit(f"clients: {error}")
    READY.touch()
    become(OBSERVER)
    os.execvp("sleep", ["sleep", "infinity"])


def stand_in(leg: Leg, user_id: int) -> None:
    """Routes of that user's own. Idempotent. Raises CommandError."""
    table = priority = str(user_id)
    by_leg = ("dev", leg.device, "src", leg.address, "table", table)
    flush_routes({"table": table})
    run("ip", "route", "add", leg.network, *by_leg)
    run("ip", "route", "add", "default", "via", leg.gateway, *by_leg)
    if not run("ip", "rule", "show", "priority", priority):
        run("ip", "rule", "add", "uidrange", f"{user_id}-{user_id}", "lookup", table, "priority", priority)


if __name__ == "__main__":
    main()
