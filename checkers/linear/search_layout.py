"""What is where in a search: five arrays of whole numbers, because functions that hand each other few things
compile quickly."""

from __future__ import annotations

NONE = -1
NEVER = 1 << 60
# Kinds of classes of equal operations. READ, WRITE, CAS and MISS are a register's; LOOK never changes the
# state and STEP may, both as the table of known steps says.
READ, WRITE, CAS, MISS, LOOK, STEP = range(6)
# What a step leaves where it cannot happen, and where the table does not say yet.
IMPOSSIBLE, UNSEEN = -1, -2
# A value that nobody will look for any more; all such are alike.
FORGOTTEN = -3

# Why `run` returned.
DONE, BLOCKED, NEED, FULL, BUDGET, STOPPED = range(6)

# data: everything of a fixed size, in rows of one array. A column an operation: its class, its return's rank
# or NEVER, and the slot it has while it is open.
(
    CLASS_OF,
    RETURNED,
    SLOT,
    # A column a class: its kind; the value read, written or expected; what a compare-and-set leaves; how many
    # crashed ones it has, the word, shift and mask of their count in a configuration, and how many of them
    # were invoked; when it was last tried. LISTED, from the front: the classes that have crashed ones.
    KIND,
    A,
    B,
    CRASHED,
    WORD,
    SHIFT,
    FIELD,
    AVAILABLE,
    TRIED,
    LISTED,
    # A column a register value: how many operations that are still to return look for it, or would miss it;
    # how many open ones look for it; how many crashed compare-and-sets that were invoked expect it.
    LOOKERS,
    MISSERS,
    OPEN_LOOKERS,
    CRASHED_LOOKERS,
    # A column an event in order: 2 * operation for an invocation and one more for a return; its rank.
    EVENT,
    RANK,
    # The open operations, the one that returns first in front; the free slots, as a stack.
    OPEN,
    FREE,
    # As wide as a configuration: the open writes; the bit above each crashed class' count; the counts that
    # still matter; a configuration being made.
    WRITES,
    SPARE,
    REMEMBERED,
    ROW,
    # Single numbers, as below.
    CONTROL,
    DATA_ROWS,
) = range(27)
(
    ROWS,  # rows in each of the three stores
    _,
    _,
    POSITION,  # the event to look at next
    EVENTS,
    CLASSES,
    VALUES,
    WORDS,  # how many hold the bits of the open operations
    FIELD_WORDS,  # and how many the counts of crashed ones
    OPEN_COUNT,
    FREE_COUNT,
    LISTED_COUNT,
    VISITED,  # configurations so far
    LIMIT,  # and when to stop for once
    CAP,  # how many configurations to keep after a moment; 0: all
    TRUNCATED,  # whether any had to go
    NEED_STATE,
    NEED_CLASS,  # the step that is not known yet
    NODES,  # entries of the trace
    CERTIFY,  # whether to keep a trace
    OPEN_MISSES,
    MISSES_LEFT,  # that are still to return
    HAS_MISSES,
    STAMP,  # what marks the chains of this moment
    TURN,  # what marks a class as tried from the configuration at hand
    STOP,  # set from outside
    SLACK,  # how many more crashed operations than the least may be used; -1: any number
    LEAST,  # the least number of them that a configuration before this moment has used
    CURSOR,  # the row of SEEN to go on with, where a moment was interrupted; else 0
    CONTROLS,
) = range(30)
# rows: three stores of configurations. A configuration is the state; WORDS with the open operations that took
# effect; WORDS with the open writes that may have been overwritten at once; FIELD_WORDS with how many crashed
# operations of each class took effect. BESIDES it, counted from
# the end: the last entry in the trace; the next row with equal state and equal effects; whether another makes
# it needless; how many crashed operations took effect in all.
FRONTIER, SEEN, REACHED = range(3)
NODE, NEXT, GONE, USED = -4, -3, -2, -1
BESIDES = 4
# heads: of each store, the first row of each such chain, and the stamp that says whether that is of this
# moment.
HEAD, STAMP_OF = range(2)
# trace, a column an effect: the operation, or -2 - class of a crashed one; the entry before; the rank of the
# return that called for it.
OP, PARENT, AT_RANK = range(3)
# steps, a hash table: state * classes + class; the state after it.
STEP_OF, AFTER = range(2)
