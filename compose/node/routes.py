"""A control-plane node's routes: from its home cloud to the others by the gateway, or not at all.

The node has a leg in each cloud. Were it to use the foreign ones, it would reach its peers past the gateway,
without the latency between clouds; so a foreign leg speaks with the gateway alone.

`python -m compose.node.routes`, as root, does it again, after `docker network disconnect` and `connect`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from compose.node.hosts import name_homes
from compose.node.legs import CommandError, Leg, find_legs, flush_routes, run

CHAINS = {"INPUT": "CROSSWIND-LEGS-IN", "OUTPUT": "CROSSWIND-LEGS-OUT"}


def keep_to_the_gateway(home_cloud: str) -> None:
    """Idempotent. Raises CommandError."""
    legs = find_legs()
    home = legs.pop(home_cloud, None)
    run("iptables-restore", "--noflush", stdin=firewall(home, legs.values()))
    for chain, own in CHAINS.items():
        _first_rule(chain, own)
    for leg in legs.values():
        flush_routes({"dev": leg.device})
        run("ip", "route", "replace", leg.gateway, "dev", leg.device, "src", leg.address, "scope", "link")
    if home is not None:
        # The way to all other clouds. With a route to each, the engine would refuse to connect their networks
        # once more: "conflicts with existing route".
        run("ip", "route", "replace", "default", "via", home.gateway, "dev", home.device, "src", home.address)


def firewall(home: Leg | None, foreign: Iterable[Leg]) -> str:
    """As iptables-restore reads it: but for the home leg, and what is between a foreign leg and its gateway,
    all is dropped, also on a leg that is yet to come. Nothing is forwarded."""
    incoming, outgoing = CHAINS.values()
    lines = ["*filter", ":FORWARD DROP [0:0]"]
    for chain, by, peer in ((incoming, "-i", "-s"), (outgoing, "-o", "-d")):
        lines += [f":{chain} - [0:0]"]
        lines += [
            f"-A {chain} {by} {device} -j RETURN" for device in ("lo", *([home.device] if home else []))
        ]
        lines += [f"-A {chain} {by} {leg.device} {peer} {leg.gateway} -j RETURN" for leg in foreign]
        lines += [f"-A {chain} -j DROP"]
    return "\n".join([*lines, "COMMIT", ""])


def _first_rule(chain: str, jump_to: str) -> None:
    rules = run("iptables", "-S", chain)
    if f"-j {jump_to}" not in rules:
        run("iptables", "-I", chain, "-j", jump_to)


if __name__ == "__main__":
    try:
        keep_to_the_gateway(os.environ["CLOUD"])
        name_homes()
    except CommandError as error:
        sys.exit(f"routes: {error}")
