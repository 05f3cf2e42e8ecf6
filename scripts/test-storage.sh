#!/bin/sh
# Writes 1 MB into the running cluster's object store and reads it back, from a worker; prints both checksums.
# Which worker: the first argument, worker-gcp-1 by default, which reaches the store through the gateway.
set -eu
worker=${NAME_PREFIX:-}${1:-worker-gcp-1}
state=$(docker inspect --format "{{.State.Status}}" "$worker" 2>/dev/null) || state=missing
if [ "$state" != running ]; then
    echo "test-storage: the container $worker is $state; make sim-up starts it" >&2
    exit 1
fi
exec docker exec -i "$worker" python - <<'PYTHON'
import hashlib, os, socket, sys, uuid

import boto3
from botocore.exceptions import BotoCoreError, ClientError

data = os.urandom(1_000_000)
try:
    store = boto3.client("s3")
    key = f"test-storage/{uuid.uuid4()}"
    wrote = store.put_object(Bucket="pipeline-data", Key=key, Body=data)
    read = store.get_object(Bucket="pipeline-data", Key=key)["Body"].read()
    store.delete_object(Bucket="pipeline-data", Key=key)
except (BotoCoreError, ClientError) as error:
    sys.exit(f"test-storage: {error}")
sums = [hashlib.sha256(part).hexdigest() for part in (data, read)]
print(f"store  {wrote['ResponseMetadata']['HTTPHeaders'].get('server', 'unnamed')}, from {socket.gethostname()}")
print(f"wrote  {len(data)} bytes  sha256 {sums[0]}")
print(f"read   {len(read)} bytes  sha256 {sums[1]}")
sys.exit(sums[0] != sums[1] and "test-storage: what was read is not what was written")
PYTHON
