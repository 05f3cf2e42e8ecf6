"""`python -m compose.gateway`: sets the container's network up, then carries its packets until told to end.

Exits with 0 on SIGTERM or SIGINT, 1 where the container or its kernel lacks something, 2 where its
environment is wrong.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from compose.gateway import links, log, netem, setup
from compose.gateway.commands import SetupError
from compose.gateway.config import CLOUD_PAIRS, CLOUDS, EDGE, Config, SettingError, from_env
from compose.gateway.control import ControlServer
from compose.gateway.delayer import Crossing, Delayer
from compose.gateway.scheduling import raise_priority
from compose.gateway.verbs import Verbs


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        run(from_env(os.environ))
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    except (SetupError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(config: Config) -> None:
    """Ends by an exception only. Raises SetupError and OSError."""
    needed = [*CLOUDS.values(), *([EDGE] if config.published else [])]
    found = setup.find_legs(config.subnet, needed)
    legs = {cloud: found[octet] for cloud, octet in CLOUDS.items()}
    setup.forbid_forwarding(config.published, found.get(EDGE))
    mtu_bytes = max(leg.mtu_bytes for leg in legs.values())
    tuns = setup.open_devices(CLOUD_PAIRS, mtu_bytes)
    setup.allow_routing([setup.device_name(pair) for pair in tuns])
    setup.route_into_devices(legs, CLOUD_PAIRS, config.subnet)

    one_way_ns = links.one_way_ns(config)
    backend = netem.choose(config.backend, {setup.device_name(pair): ns for pair, ns in one_way_ns.items()})
    base_ns = one_way_ns if backend == "tun" else dict.fromkeys(one_way_ns, 0)
    site_links = links.site_links(config, base_ns)
    crossings = [
        Crossing(tun, mtu_bytes, links.new_link(config, "->".join(pair), base_ns[pair]))
        for pair, tun in tuns.items()
    ]
    status = {
        "backend": backend,
        "scheduling": raise_priority(),
        "latency_ms": {"-".join(pair): ms for pair, ms in config.round_trip_ms.items()},
    }
    answer = Verbs(site_links, status, time.monotonic_ns).answer
    with ControlServer(config.socket, answer) as server:
        delayer = Delayer(crossings, links.by_addresses(config, site_links), server)
        setup.take_addresses(legs, config.subnet)
        log.info(
            "Gateway ready", **status, jitter_ms=config.jitter_ms, seed=config.seed, sites=len(config.sites)
        )
        delayer.run()


if __name__ == "__main__":
    sys.exit(main())
