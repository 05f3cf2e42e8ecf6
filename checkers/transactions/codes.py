"""The small numbers that stand for things in arrays."""

from __future__ import annotations

# How a transaction ended, and what a micro-operation does.
OK, INFO, FAIL = 0, 1, 2
READ, WRITE = 0, 1
# The position of a return that never came.
NEVER = 1 << 60

# Why one transaction comes before another, as bits: it wrote what the other overwrote; wrote what the other
# read; read what the other overwrote; did so in one process; returned before the other was invoked. ONWARD
# leads out of a node that stands for many edges of one sort, and is no reason of its own.
ONWARD, WW, WR, RW, PROCESS, REALTIME = 0, 1, 2, 4, 8, 16

# What is wrong with a micro-operation by itself, as bits: it read what a failed transaction wrote; what its
# writer overwrote; what nobody wrote; it contradicts its own transaction; it is a read, or the write, of what
# its own transaction wrote only later; it is a read that fits no other reads' order.
ABORTED, INTERMEDIATE, GARBAGE, INTERNAL, FUTURE, ODD = 1, 2, 4, 8, 16, 32
