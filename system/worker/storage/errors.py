"""What an object store can say no with, and the translation from botocore's exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class StoreError(Exception):
    """The store refused: credentials, permissions, a request it does not understand."""


class NoSuchObject(StoreError):
    """There is no such object, or no such bucket."""


class PreconditionFailed(StoreError):
    """A conditional put found another state than it asked for, and wrote nothing."""


class StoreUnavailable(StoreError):
    """The store did not answer in time, or broke off. A put may or may not have taken effect."""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turns botocore's exceptions into the ones above. doing: what failed, such as "get s3://bucket/key"."""
    # Imported here, as wherever boto3 is: it takes a good part of a second, which a start need not pay.
    from botocore import exceptions as botocore

    try:
        yield
    except botocore.ClientError as error:
        raise _from_answer(doing, error.response) from error
    except (botocore.HTTPClientError, botocore.ConnectionError, botocore.IncompleteReadError) as error:
        raise StoreUnavailable(f"cannot {doing}: {error}") from error
    except botocore.BotoCoreError as error:  # no credentials, no region, invalid parameters
        raise StoreError(f"cannot {doing}: {error}") from error


def _from_answer(doing: str, response: Mapping[str, Any]) -> StoreError:
    """response: as in botocore's ClientError."""
    error = response.get("Error", {})
    metadata = response.get("ResponseMetadata", {})
    code, status = error.get("Code", "unknown"), metadata.get("HTTPStatusCode", 0)
    told = f"cannot {doing}: {code} {error.get('Message', '')}".rstrip()
    if code in ("NoSuchKey", "NoSuchBucket") or status == 404:
        return NoSuchObject(told)
    if code in ("PreconditionFailed", "ConditionalRequestConflict") or status == 412:
        # After a retry the state that was found may be the one our own first attempt left.
        if metadata.get("RetryAttempts", 0) > 0:
            return StoreUnavailable(f"{told}, after a retry: the first attempt may have taken effect")
        return PreconditionFailed(told)
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return StoreUnavailable(told)
    return StoreError(told)
