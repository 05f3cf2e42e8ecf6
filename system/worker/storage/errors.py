"""What an object store can say no with, and the translation from botocore's exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class StoreError(Exception):
    """The store refused, and wrote nothing: credentials, permissions, a request it does not understand, or
    another that it is busy with."""


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
    # Any server says 404; only a store says what is missing.
    if code in ("NoSuchKey", "NoSuchBucket"):
        return NoSuchObject(told)
    if status == 412:
        return PreconditionFailed(told)
    if status < 300 or status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return StoreUnavailable(told)
    return StoreError(told)
