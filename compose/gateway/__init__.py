"""The way from one cloud to another: a container through which all traffic between the three clouds goes.

It adds the latency between clouds and, when asked to, delays, drops, duplicates, reorders, corrupts and
rate-limits the packets of an ordered pair of sites, and counts each of these.

Each pair of clouds has a TUN device of its own. The kernel routes what arrives from one cloud for another
into that device; this process takes every packet out, decides its fate, holds it until it is due and writes
it back, and the kernel sends it on. Nothing else is forwarded, so whenever the process stands still or is
gone, nothing crosses.

Python's standard library and the commands `ip`, `iptables` and `tc` are all it uses: a TUN device is one
ioctl, each command runs once at start, and a netlink library would only make the image larger.
"""
