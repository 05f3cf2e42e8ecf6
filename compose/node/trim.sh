#!/bin/sh
# Takes out of a Debian image what a container that runs one program never uses: its package managers, tools for
# disks and logins, and what only they need. Runs in a stage of its own, whose files are then copied as a whole.
set -eu
dpkg --purge --force-all \
    python3-pip python3-setuptools python3-wheel python3-lib2to3 python3-distutils python3-pkg-resources \
    apt libapt-pkg6.0 gpgv debian-archive-keyring adduser perl-base usrmerge usr-is-merged openssl \
    libgnutls30 libhogweed6 libnettle8 libp11-kit0 libtasn1-6 libgmp10 libgcrypt20 libgpg-error0 libsystemd0 \
    e2fsprogs mount util-linux util-linux-extra login passwd bash logsave diffutils ncurses-bin \
    libsmartcols1 libsemanage2 libsepol2 libpam-modules libpam-modules-bin libpam-runtime libpam0g libaudit1 \
    >/dev/null 2>&1 || true
find /usr/share/doc -type f ! -name copyright -delete
rm -rf /usr/share/man /usr/share/locale /usr/share/info /usr/share/i18n /usr/share/zoneinfo \
    /usr/lib/*/gconv /usr/lib/python3*/test /usr/lib/python3*/pydoc_data /usr/lib/python3*/idlelib \
    /usr/lib/python3*/lib2to3 /usr/lib/python3*/ensurepip /usr/lib/python3/dist-packages/* \
    /var/lib/apt /var/lib/dpkg /var/cache/* /var/log/* /etc/apt /tmp/*
# A copy has no file capabilities; with them, no container without NET_RAW could run ping at all.
cp /usr/bin/ping /usr/bin/ping.plain && mv /usr/bin/ping.plain /usr/bin/ping
