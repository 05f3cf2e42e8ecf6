"""A harness to be killed in mid-run: `python -m tests.clusters.orphans DIRECTORY`.

Starts a supervisor with links, three children, of which one is stopped and one ignores SIGTERM and SIGINT,
and DIRECTORY/scratch for their files, tells about it in one JSON line, and waits.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from system.clusters.supervision import Supervision

A, B = "cp-aws-1", "cp-gcp-1"
STUBBORN = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""
LISTENING = """
import socket, sys, time
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
time.sleep(1000)
"""


async def main(directory: Path) -> None:
    scratch = directory / "scratch"
    scratch.mkdir()
    log = scratch / "supervisor.log"
    supervision = await Supervision.start(log, lambda facts: None, scratch=scratch)
    book = await supervision.ask("open", nodes=[A, B], dials=[(A, B), (B, A)], delays_s=[], seed=1)
    host, _, port = book["grpc"][A].rpartition(":")
    children = {A: [LISTENING, host, port], "stubborn": [STUBBORN], "stopped": [STUBBORN]}
    pids = {}
    for name, script in children.items():
        facts = await supervision.ask(
            "spawn",
            name=name,
            argv=[sys.executable, "-c", *script],
            env=dict(os.environ),
            directory=str(scratch / name),
        )
        pids[name] = facts["pid"]
        while (scratch / name / "stdout.log").read_text() != "up\n":
            await asyncio.sleep(0.01)
    await supervision.ask("pause", names=["stopped"])
    book |= {"pids": pids, "supervisor": supervision.pid, "session": os.getsid(supervision.pid)}
    print(json.dumps(book), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
