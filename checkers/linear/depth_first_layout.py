"""What is where in a search of a register in depth: arrays of whole numbers, as `search_layout.py` says why.

Each operation that returned has a slot while it is open, which is a bit of a word: sets of them are words.
"""

from __future__ import annotations

NONE = -1
NEVER = 1 << 60
# Kinds of operations, as zones_kernels and search_layout number them.
READ, WRITE, CAS, MISS = range(4)
# So many operations may be open at once: the bits of a word that stays positive.
SLOTS = 62

# Why `run` returned.
DONE, BLOCKED, FULL, BUDGET, STOPPED, CROWDED = range(6)

# operations, a row each: its class, its return's rank or NEVER, its slot.
CLASS, RETURNED, SLOT = range(3)
# classes, a row each: its kind; the value read, written or expected; what a compare-and-set leaves; the word,
# shift and mask of the number of crashed ones in a configuration; how many crashed ones were invoked. LISTED,
# from the first row on: the classes that have crashed ones.
KIND, A, B, WORD, SHIFT, FIELD, INVOKED, LISTED = range(8)
CLASS_FIELDS = 8
# values, a row each, and one more for any that nobody will look for. By kind, from 0 on, the open operations
# that have this value as A; from LEFT on, how many of them are still to return; and how many crashed
# compare-and-sets that were invoked expect it.
LEFT, SWAPPERS = 4, 8
VALUE_FIELDS = 9
# now: by kind, from 0 on, all open operations; from LEFT on, how many are still to return; single numbers;
# from OPERATION on, which operation has which slot.
(
    VISITED,  # configurations so far
    LIMIT,  # and when to stop for once
    STOP,  # set from outside
    COUNT,  # of rows
    TOP,  # the row of the configuration that the present one came from
    FURTHEST,  # the last event that was reached
    LISTED_COUNT,
    OPERATION,
) = range(8, 16)
NOW_FIELDS = OPERATION + SLOTS
# A configuration, and rows of those that were entered: the event to look at next; the state; the open
# operations that took effect; the open writes that may have been overwritten at once. In rows only: the row
# before it in the same place of the hash table; the row it came from; which open operations are still to be
# tried there, and from which of the listed classes on a crashed one is, NONE where it comes first that the
# returning write goes unseen; and what was tried last: an operation, -2 - the class of a crashed one, or
# NONE. From COUNTS on, how many crashed operations of each class took effect.
POSITION, STATE, EFFECTS, MARKS, BEFORE, PARENT, UNTRIED, UNTRIED_LISTED, TRIED, COUNTS = range(10)
