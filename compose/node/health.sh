#!/bin/sh
# Docker's health check: does this URL answer, or this command succeed? The first check comes a second after the
# start, so that a cluster is up soon; once one has succeeded, every further one takes its time, so that checking
# costs next to nothing. (Engines before 25 do not know --start-interval.)
case $1 in
http*) timeout 2 busybox wget -q -O /dev/null "$1" || exit 1 ;;
*) "$@" || exit 1 ;;
esac
[ -e /tmp/healthy ] && sleep 5
: >/tmp/healthy
