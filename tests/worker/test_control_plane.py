"""A worker and a real control plane of one node: what /cluster-state says of the worker."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import aiohttp

from tests.worker.support import CLUSTER_ID, environment, free_address, process, worker

OFFLINE_AFTER_S = 0.9


class ClusterState:
    def __init__(self, http: aiohttp.ClientSession, http_address: str) -> None:
        self._http = http
        self._url = f"http://{http_address}/cluster-state"

    async def until(self, **expected: str) -> None:
        """Waits until the control plane knows exactly one worker, with these fields."""
        deadline_ns = time.monotonic_ns() + 15 * 10**9
        workers = None
        while not (
            isinstance(workers, list) and len(workers) == 1 and expected.items() <= workers[0].items()
        ):
            assert time.monotonic_ns() < deadline_ns, f"expected {expected}, last seen: {workers}"
            await asyncio.sleep(0.02)
            try:
                async with self._http.get(self._url) as answer:
                    workers = await answer.json()
            except aiohttp.ClientError as error:  # it is being restarted
                workers = error


def test_online_offline_and_back_by_itself(tmp_path: Path) -> None:
    node_env = {
        "NODE_ID": "cp-aws-1",
        "CLUSTER_ID": CLUSTER_ID,
        "PEERS": "",
        "LISTEN_ADDR": free_address(),
        "HTTP_ADDR": free_address(),
        "DATA_DIR": str(tmp_path),
        "WORKER_OFFLINE_AFTER_S": str(OFFLINE_AFTER_S),
    }
    # The interval is longer than the leader allows: it is the leader's that counts.
    env = environment(f"cp-aws-1={node_env['LISTEN_ADDR']}", HEARTBEAT_INTERVAL_S="60")

    async def scenario() -> None:
        async with aiohttp.ClientSession() as http:
            state = ClusterState(http, node_env["HTTP_ADDR"])
            async with worker(env) as stopped:
                async with process("system.control_plane", node_env) as node:
                    await state.until(
                        status="online", address=env["LISTEN_ADDR"], cloud="aws", id="worker-aws-1"
                    )
                    stopped.signal(signal.SIGSTOP)
                    await state.until(status="offline")
                    stopped.signal(signal.SIGCONT)
                    await state.until(status="online")
                    await node.stop(signal.SIGKILL)
                async with process("system.control_plane", node_env):
                    await state.until(status="online")
                    await stopped.stop(signal.SIGKILL)
                    await state.until(status="offline")
                    async with worker(env):
                        await state.until(status="online")

    asyncio.run(scenario())
