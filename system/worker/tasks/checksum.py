"""The checksum of an S3 object."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

from system.worker.storage import ObjectStore
from system.worker.tasks.task import Task


async def _checksum(store: ObjectStore, arguments: Mapping[str, str]) -> dict[str, str]:
    """sha256 (hex), size_bytes (decimal) and etag of the object, streamed: its size does not matter."""
    digest = hashlib.sha256()
    size_bytes = 0
    async with store.open(arguments["bucket"], arguments["key"]) as stream:
        async for chunk in stream.chunks():
            await asyncio.to_thread(digest.update, chunk)
            size_bytes += len(chunk)
    return {"sha256": digest.hexdigest(), "size_bytes": str(size_bytes), "etag": stream.etag}


CHECKSUM = Task("checksum", ("bucket", "key"), _checksum)
