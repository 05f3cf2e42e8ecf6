"""How a worker's container starts: the pipelines' bucket first, where BUCKET names one, then the worker."""

from __future__ import annotations

import logging
import os
import sys

from system import logs

# Under `system`, whose lines are logged from INFO up.
log = logging.getLogger("system.worker.bucket")


def main() -> None:
    bucket = os.environ.get("BUCKET")
    if bucket:
        logs.configure(os.environ["WORKER_ID"], "INFO")
        ensure_bucket(bucket)
    os.execvp(sys.executable, [sys.executable, "-m", "system.worker"])


def ensure_bucket(bucket: str) -> None:
    """A store that is down is logged: it must not keep a worker from its other work."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(
        connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"}
    )
    store = boto3.client("s3", config=patience)
    try:
        store.create_bucket(Bucket=bucket)
        log.info("Bucket made", extra={"bucket": bucket})
    except (store.exceptions.BucketAlreadyOwnedByYou, store.exceptions.BucketAlreadyExists):
        log.info("Bucket is there", extra={"bucket": bucket})
    except (BotoCoreError, ClientError) as error:
        log.warning("Bucket could not be made: %s", error, extra={"bucket": bucket})


if __name__ == "__main__":
    main()
