"""A harness to be killed in mid-fault: `python -m tests.clusters.docker_orphans DIRECTORY`.

Starts a Docker cluster, has a command committed, cuts a link, has the gateway lose packets, pauses a node and
kills a worker, tells about it in one JSON line, and waits.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from system.clusters.docker import DockerCluster
from tests.clusters.docker_lab import DEADLINE_S, commit


async def main(directory: Path) -> None:
    cluster = DockerCluster(8, data_dir=directory)
    await cluster.start()
    await commit(cluster, "client-aws", DEADLINE_S)
    one, two, three = cluster.nodes
    await cluster.cut([(one, two), (two, one)], "packets")
    await cluster.shape([(one, three)], {"loss": 0.5})
    await cluster.pause([three])
    await cluster.kill(["worker-aws-1"], lose_unsynced=False)
    slot = cluster._running("test").slot
    print(json.dumps({"slot": slot.number, "project": slot.project}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
