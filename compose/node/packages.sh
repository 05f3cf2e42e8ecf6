#!/bin/sh
# Installs what a node needs of Debian, where the base image does not have it already, and pip to build with.
set -eu
have() { for tool in "$@"; do command -v "$tool" >/dev/null || return 1; done; }

missing=
have python3 || missing="$missing python3"
python3 -m pip --version >/dev/null 2>&1 || missing="$missing python3-pip"
have busybox ip iptables ping tini || missing="$missing busybox iproute2 iptables iputils-ping tini"
[ -z "$missing" ] && exit 0
apt-get update -qq
# shellcheck disable=SC2086 - a list of words
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates $missing
