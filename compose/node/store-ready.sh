#!/bin/sh
# Whether SeaweedFS serves: S3 answers, and the volumes have reported to the master. Until they have, after a
# restart, what is stored cannot be read.
timeout 2 busybox wget -q -O /dev/null http://127.0.0.1:9000/healthz &&
    timeout 2 busybox wget -q -O - http://127.0.0.1:9333/dir/status | grep -q '"DataNodes":\[{'
