"""Puts an object whose content follows from a number, always or on a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from system.object_content import content
from system.worker.storage import NoSuchObject, ObjectStore, PreconditionFailed
from system.worker.tasks.task import Task


async def _put(store: ObjectStore, arguments: Mapping[str, str]) -> dict[str, str]:
    """etag of what was put; nothing where the condition was not met.

    number, size_bytes: decimal, of system.object_content. if_match: the ETag there must be, with its quotes;
    if_none_match: "*", there must be no such object.
    """
    number, size_bytes = int(arguments["number"]), int(arguments["size_bytes"])
    data = await asyncio.to_thread(content, number, size_bytes)
    if_match = arguments.get("if_match")
    try:
        etag = await store.put(
            arguments["bucket"],
            arguments["key"],
            data,
            if_absent="if_none_match" in arguments,
            if_match=if_match,
        )
    except PreconditionFailed:
        return {}
    except NoSuchObject:
        if if_match is None:  # then it is the bucket that is missing
            raise
        return {}
    return {"etag": etag}


PUT_OBJECT = Task(
    "put-object",
    ("bucket", "key", "number", "size_bytes"),
    _put,
    optional=("if_match", "if_none_match"),
)
