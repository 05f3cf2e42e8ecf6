"""How a worker's container starts: the pipelines' bucket first, where BUCKET names one, then the worker."""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    bucket = os.environ.get("BUCKET")
    if bucket:
        say(ensure_bucket(bucket), bucket)
    os.execvp(sys.executable, [sys.executable, "-m", "system.worker"])


def ensure_bucket(bucket: str) -> str:
    """Says what came of it. A store that is down must not keep a worker from its other work."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(
        connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"}
    )
    store = boto3.client("s3", endpoint_url=os.environ["MINIO_ENDPOINT"], config=patience)
    try:
        store.create_bucket(Bucket=bucket)
    except (store.exceptions.BucketAlreadyOwnedByYou, store.exceptions.BucketAlreadyExists):
        return "Bucket is there"
    except (BotoCoreError, ClientError) as error:
        return f"Bucket could not be made: {error}"
    return "Bucket made"


def say(message: str, bucket: str) -> None:
    print(json.dumps({"level": "INFO", "node": os.environ["WORKER_ID"], "msg": message, "bucket": bucket}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
