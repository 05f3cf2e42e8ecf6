#!/bin/sh
# A base image for compose/Dockerfile where no registry answers: Debian with the packages that the Dockerfile would
# install, from the mirror that this machine uses. Made once; prints its name on stdout, all else on stderr.
set -eu
cd "$(dirname "$0")/.."

packages=usr-is-merged,python3,python3-pip,busybox,iproute2,iptables,iputils-ping,tini,ca-certificates
sources=/etc/apt/sources.list.d/debian.sources
[ -e "$sources" ] || sources=/etc/apt/sources.list
bundle=/etc/ssl/certs/ca-certificates.crt
suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME" || echo bookworm)
tag=crosswind/base:$(cat "$0" "$sources" "$bundle" 2>/dev/null | sha256sum | cut -c1-12)

if docker image inspect "$tag" >/dev/null 2>&1; then
    echo "base image: $tag is there already" >&2
    echo "$tag"
    exit 0
fi
if ! command -v mmdebstrap >/dev/null; then
    echo "base image: mmdebstrap is missing; on Debian or Ubuntu: apt-get install mmdebstrap" >&2
    exit 1
fi
began=$(date +%s)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# mmdebstrap's own default mirror, where this is not Debian.
grep -q debian "$sources" 2>/dev/null || sources=
printf 'path-exclude=/usr/share/%s/*\n' man locale info lintian >"$work/dpkg.cfg"
if ! mmdebstrap --quiet --variant=apt --include="$packages" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --dpkgopt="$work/dpkg.cfg" --dpkgopt=force-unsafe-io \
    --aptopt='APT::Install-Recommends "false"' --customize-hook="copy-in $bundle /etc/ssl/certs" \
    "$suite" "$work/base.tar" $sources >"$work/log" 2>&1; then
    cat "$work/log" >&2
    echo "base image: mmdebstrap failed (above: why)" >&2
    exit 1
fi
docker import "$work/base.tar" "$tag" >/dev/null
size=$(gzip -1 -c "$work/base.tar" | wc -c | awk '{printf "%.1f MB", $1 / 1e6}')
echo "base image: $tag, $size compressed, made in $(($(date +%s) - began)) s" >&2
echo "$tag"
