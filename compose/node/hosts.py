"""Names mean homes, wherever a container stands.

The engine's DNS would answer with a node's leg in the asker's own cloud. The engine also writes all of a
container's own legs into /etc/hosts, and takes the names of all who are in a network out of there when the
container is disconnected from it.
"""

from __future__ import annotations

import os
from pathlib import Path

HOSTS = Path("/etc/hosts")


def name_homes(hosts: Path = HOSTS) -> None:
    """Idempotent. SITES in the environment: "cp-aws-1=10.10.0.11,…"."""
    homes = dict(site.split("=") for site in os.environ["SITES"].split(","))
    kept = [line for line in hosts.read_text().splitlines() if not homes.keys() & set(line.split()[1:])]
    lines = [*kept, *(f"{address}\t{name}" for name, address in homes.items())]
    # In place: it is a mount, which nothing can be renamed to.
    hosts.write_text("\n".join(lines) + "\n")
