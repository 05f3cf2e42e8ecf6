"""A container's interfaces, one in each cloud's network, and the commands that change what they do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

# Each cloud's second octet; the third is the cluster's own number.
CLOUDS = {"aws": 10, "gcp": 20, "azure": 30}


@dataclass(frozen=True, slots=True)
class Leg:
    """device: such as eth1, which changes whenever a network is disconnected and connected again."""

    cloud: str
    device: str
    address: str

    @property
    def network(self) -> str:
        return f"{self._prefix}.0/24"

    @property
    def gateway(self) -> str:
        return f"{self._prefix}.1"

    @property
    def _prefix(self) -> str:
        return self.address.rpartition(".")[0]


def find_legs() -> dict[str, Leg]:
    """By cloud; networks that are disconnected are missing. Raises CommandError."""
    legs: dict[str, Leg] = {}
    for interface in json.loads(run("ip", "-json", "-4", "address", "show")):
        for address in interface["addr_info"]:
            for cloud, octet in CLOUDS.items():
                if address["local"].startswith(f"10.{octet}."):
                    legs[cloud] = Leg(cloud, interface["ifname"], address["local"])
    return legs


class CommandError(Exception):
    """A command that failed: which, and what it said. One line."""


def run(*command: str, stdin: str | None = None) -> str:
    """What the command printed. Raises CommandError."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise CommandError(f"{' '.join(command)}: {said}")
    return done.stdout


def flush_routes(selector: Mapping[str, str]) -> None:
    """Deletes the routes that a selector finds, such as {"dev": "eth1"}; there may be none."""
    words = [word for pair in selector.items() for word in pair]
    subprocess.run(["ip", "-4", "route", "flush", *words], capture_output=True, check=False)
