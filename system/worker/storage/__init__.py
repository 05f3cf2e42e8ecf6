"""Objects in S3 or a store that speaks its language."""

from system.worker.storage.errors import NoSuchObject, PreconditionFailed, StoreError, StoreUnavailable
from system.worker.storage.s3 import Object, ObjectStore, ObjectStream

__all__ = [
    "NoSuchObject",
    "Object",
    "ObjectStore",
    "ObjectStream",
    "PreconditionFailed",
    "StoreError",
    "StoreUnavailable",
]
