#!/bin/sh
# Gets a Docker engine, Compose v2 and buildx, where they are missing: on Debian, as root, from Debian's packages.
# Does what is left to do and says what it did. Never starts a second daemon beside a first.
set -eu
plugins="$HOME/.docker/cli-plugins"
say() { echo "docker engine: $*"; }

# An engine that has locked itself up still tells its version, or gives no answer at all.
within_30_s() { if command -v timeout >/dev/null; then timeout 30 "$@"; else "$@"; fi; }
answers() { within_30_s docker info --format '{{.ServerVersion}}' >/dev/null 2>&1; }
complete() { answers && docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

install_packages() {
    missing=
    command -v dockerd >/dev/null || missing="$missing docker.io"
    command -v iptables >/dev/null || missing="$missing iptables"
    command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
    [ -z "$missing" ] && return
    apt-get update -qq
    # Debian 13 has the command in a package of its own.
    [ -n "${missing##* docker.io*}" ] || ! apt-cache show docker-cli >/dev/null 2>&1 || missing="$missing docker-cli"
    # shellcheck disable=SC2086 - a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    say "installed$missing"
}

running_daemon() {
    for pid in $(cat /var/run/docker.pid 2>/dev/null) $(pidof dockerd); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && echo "$pid" && return
    done
    return 1
}

start_daemon() {
    if pid=$(running_daemon); then
        say "process $pid is a dockerd, but it does not answer at ${DOCKER_HOST:-/var/run/docker.sock};" \
            "where it has locked itself up: kill -9 $pid, and this again" >&2
        return 1
    fi
    set -- dockerd
    # On cgroup v1 this lets the gateway schedule in real time; cgroup v2 knows no such share.
    [ -e /sys/fs/cgroup/cgroup.controllers ] || set -- "$@" --cpu-rt-runtime 900000
    setsid nohup "$@" >/var/log/dockerd.log 2>&1 </dev/null &
    for _ in $(seq 60); do
        answers && say "started $*; it logs to /var/log/dockerd.log" && return
        sleep 0.5
    done
    say "dockerd does not answer: $(tail -n 1 /var/log/dockerd.log)" >&2
    return 1
}

# Debian 12 has neither plugin; Debian 13's are static programs, fetched with this machine's own sources.
install_plugins() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/sources" "$plugins"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
        [ -e "$list" ] && sed "s/$VERSION_CODENAME/trixie/g" "$list" >"$work/sources/$(basename "$list")"
    done
    set -- -o Dir::Etc::SourceParts="$work/sources" -o Dir::Etc::SourceList="$work/sources/sources.list" \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache::Archives="$work/archives" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
    apt-get "$@" update -qq
    (cd "$work" && apt-get "$@" download -qq docker-compose docker-buildx)
    for package in "$work"/*.deb; do
        dpkg -x "$package" "$work/files"
    done
    cp "$work"/files/usr/libexec/docker/cli-plugins/* "$plugins/"
    say "put $(ls "$work/files/usr/libexec/docker/cli-plugins" | xargs) into $plugins"
}

if complete; then
    say "engine $(docker version --format '{{.Server.Version}}') and compose $(docker compose version --short) are there"
    exit 0
fi
. /etc/os-release 2>/dev/null || ID=unknown
if [ "$ID" != debian ] || [ "$(id -u)" -ne 0 ]; then
    say "this does it on Debian, as root; elsewhere install Docker Engine or Docker Desktop, with the compose and buildx plugins, and start it" >&2
    exit 1
fi
began=$(date +%s)
answers || install_packages
answers || start_daemon # the package may have started it
docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1 || install_plugins
say "engine $(docker version --format '{{.Server.Version}}'), compose $(docker compose version --short), buildx; after $(($(date +%s) - began)) s"
