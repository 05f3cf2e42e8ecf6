#!/bin/sh
# SeaweedFS, started with MinIO's command line, `server DIR --console-address :PORT`, and its environment.
# Its data is written to DIR; S3 answers on port 9000, its own console on PORT.
set -eu
if [ $# -ne 4 ] || [ "$1" != server ] || [ "$3" != --console-address ]; then
    echo "store: expected: server DIR --console-address :PORT" >&2
    exit 2
fi
# Whoever signs with these may do everything; nobody else may do anything.
export AWS_ACCESS_KEY_ID="$MINIO_ROOT_USER" AWS_SECRET_ACCESS_KEY="$MINIO_ROOT_PASSWORD"
unset AWS_ENDPOINT_URL
exec weed mini -dir="$2" -ip=127.0.0.1 -ip.bind=0.0.0.0 -s3.port=9000 \
    -admin.port="${4#:}" -admin.user="$MINIO_ROOT_USER" -admin.password="$MINIO_ROOT_PASSWORD" \
    -s3.port.iceberg=0 -s3.port.lance=0 -webdav=false -master.telemetry=false
