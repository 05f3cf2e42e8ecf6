"""Gets an object, and tells what it is without handing it on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from system.object_content import md5
from system.worker.storage import NoSuchObject, ObjectStore
from system.worker.tasks.task import Task


async def _get(store: ObjectStore, arguments: Mapping[str, str]) -> dict[str, str]:
    """etag as the store says, and md5 (hex) of the body as it came; nothing where there is no such object."""
    try:
        found = await store.get(arguments["bucket"], arguments["key"])
    except NoSuchObject:
        return {}
    return {"etag": found.etag, "md5": await asyncio.to_thread(md5, found.data)}


GET_OBJECT = Task("get-object", ("bucket", "key"), _get)
