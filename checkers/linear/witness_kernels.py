"""Lists whose appends and reads report log indices, compiled. `witness.py` says what is decided."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from checkers.compiled import njit

NONE = -1
NEVER = 1 << 60
# In place of the log index of an append that crashed, and of one that returned without telling any.
_CRASHED, _UNTOLD = -1, -2

# What came of it. In brackets the operations that `found` gets; of OUT_OF_ORDER the ranks of a return and of
# an invocation.
(
    YES,
    REPEATED,  # an element was appended twice [both]
    UNTOLD,  # an append returned, no read shows it and it told no log index [it]
    NEVER_APPENDED,  # a read shows what nobody appended to its list [the read]
    SHOWN_TWICE,  # [the append, the read]
    OUT_OF_LOG_ORDER,  # a read shows two appends against their log indices [both appends]
    LOST,  # a read shows appends from behind one that it does not show [the append, the read]
    OTHER_CONTENT,  # two reads where neither shows what the other begins with [both]
    PAST_ITS_INDEX,  # a read shows an append from behind the index it reports [both]
    SHORT_OF_ITS_INDEX,  # a read does not show an append up to the index it reports [both]
    OUT_OF_ORDER,  # one had returned before the other was invoked, yet comes after it
) = range(11)


class Calls(NamedTuple):
    """Some operations in order of invocation, an entry each; the first of them has position `begin`.

    append: whether it is one, else it is a read. element: its number, of an append; the same element of two
    lists has two numbers. witness: the log index, -1 where it is not known. Ranks as in zones_kernels.Calls.
    A read's content is contents[first[i] - first[0] : first[i + 1] - first[0]].
    """

    begin: int
    append: Any
    key: Any
    element: Any
    witness: Any
    invoked: Any
    returned: Any
    first: Any
    contents: Any


class Log(NamedTuple):
    """What is known of all lists.

    by element: appender, its position; key_of; index, in the log; slot, NONE: it need not have happened
    by key: base, its first slot; known, how many elements the longest read shows; longest, that read
    by slot, one for each append of a key in the only possible order and one more: shown, the elements that
    reads show; before and after, the greatest log index in front of it and the least from it on; moments, of
    the reads that show what is in front of it the first return and the last invocation, and the append's own
    """

    appender: Any
    key_of: Any
    index: Any
    slot: Any
    base: Any
    known: Any
    longest: Any
    shown: Any
    before: Any
    after: Any
    moments: Any


# The columns of `moments`.
_FIRST_RETURN, _LAST_INVOCATION, _RETURN, _INVOCATION = range(4)


@njit(cache=True)
def count(calls: Calls, appends: Any) -> None:
    """Adds to each key's number of appends."""
    append, key = calls.append, calls.key
    for i in range(append.size):
        appends[key[i]] += append[i]


@njit(cache=True)
def empty_log(appends: Any, elements: int) -> Log:
    base = np.zeros(appends.size + 1, np.int64)
    base[1:] = np.cumsum(appends + 1)
    slots = base[-1]
    moments = np.full((slots, 4), NEVER, np.int64)
    moments[:, _LAST_INVOCATION] = moments[:, _INVOCATION] = NONE
    return Log(
        np.full(elements, NONE, np.int64),
        np.full(elements, NONE, np.int32),
        np.full(elements, _CRASHED, np.int64),
        np.full(elements, NONE, np.int64),
        base,
        np.zeros(appends.size, np.int64),
        np.full(appends.size, NONE, np.int64),
        np.empty(slots, np.int32),
        np.full(slots, NONE, np.int64),
        np.full(slots, NEVER, np.int64),
        moments,
    )


# Whole tables are handed on only between loops, not inside them: every array of one is counted each time.


@njit(cache=True)
def learn(calls: Calls, log: Log, found: Any) -> int:
    """Enters the appends, and of each list the longest content."""
    append, keys, elements, witness = calls.append, calls.key, calls.element, calls.witness
    first, returned, contents = calls.first, calls.returned, calls.contents
    appender, key_of, index, base = log.appender, log.key_of, log.index, log.base
    known, longest, before = log.known, log.longest, log.known.copy()
    for i in range(append.size):
        key = keys[i]
        if append[i]:
            element = elements[i]
            if appender[element] != NONE:
                found[0], found[1] = appender[element], calls.begin + i
                return REPEATED
            appender[element], key_of[element] = calls.begin + i, key
            if returned[i] < NEVER:
                index[element] = witness[i] if witness[i] >= 0 else _UNTOLD
        elif returned[i] < NEVER and first[i + 1] - first[i] > known[key]:
            known[key], longest[key] = first[i + 1] - first[i], calls.begin + i
    for key in range(known.size):
        if known[key] > before[key]:
            if known[key] >= base[key + 1] - base[key]:
                found[0] = longest[key]
                return NEVER_APPENDED
            start = first[longest[key] - calls.begin] - first[0]
            for at in range(before[key], known[key]):
                log.shown[base[key] + at] = contents[start + at]
    return YES


@njit(cache=True)
def settle(log: Log, found: Any) -> int:
    """Gives every append its slot: those that were read as they were read, then the others by their log
    indices."""
    status = _settle_shown(log, found)
    return int(status if status != YES else _settle_others(log, found))


@njit(cache=True)
def _settle_shown(log: Log, found: Any) -> int:
    appender, key_of, index, slot_of = log.appender, log.key_of, log.index, log.slot
    base, shown, before = log.base, log.shown, log.before
    for key in range(log.known.size):
        latest, latest_index = NONE, NONE
        for slot in range(base[key], base[key] + log.known[key]):
            element = shown[slot]
            if element < 0 or element >= key_of.size or key_of[element] != key:
                found[0] = log.longest[key]
                return NEVER_APPENDED
            if slot_of[element] != NONE:
                found[0], found[1] = appender[element], log.longest[key]
                return SHOWN_TWICE
            slot_of[element] = slot
            if index[element] >= 0:
                if index[element] <= latest_index:
                    found[0], found[1] = appender[latest], appender[element]
                    return OUT_OF_LOG_ORDER
                latest, latest_index = element, index[element]
            before[slot + 1] = latest_index
    return YES


@njit(cache=True)
def _settle_others(log: Log, found: Any) -> int:
    key_of, index, slot_of, after = log.key_of, log.index, log.slot, log.after
    ends = log.base[:-1] + log.known
    others = np.nonzero((slot_of == NONE) & (index != _CRASHED))[0]
    free, before = ends.copy(), np.full(ends.size, NONE)
    for element in others[np.argsort(index[others])]:
        key = key_of[element]
        if index[element] == _UNTOLD:
            found[0] = log.appender[element]
            return UNTOLD
        if index[element] <= log.before[ends[key]]:
            found[0], found[1] = log.appender[element], log.longest[key]
            return LOST
        if before[key] != NONE and index[before[key]] == index[element]:
            found[0], found[1] = log.appender[before[key]], log.appender[element]
            return OUT_OF_LOG_ORDER
        before[key] = element
        after[ends[key]] = min(after[ends[key]], index[element])
        slot_of[element] = free[key]
        free[key] += 1
    for key in range(ends.size):
        for slot in range(ends[key] - 1, log.base[key] - 1, -1):
            known = index[log.shown[slot]]
            after[slot] = known if known >= 0 else after[slot + 1]
    return YES


@njit(cache=True)
def compare(calls: Calls, log: Log, found: Any) -> int:
    """Compares each read with its list, and enters when everything was."""
    append, keys, elements, witness = calls.append, calls.key, calls.element, calls.witness
    first, invoked, returned, contents = calls.first, calls.invoked, calls.returned, calls.contents
    base, shown, slot_of, before, after = log.base, log.shown, log.slot, log.before, log.after
    moments = log.moments
    for i in range(append.size):
        if append[i]:
            slot = slot_of[elements[i]]
            if slot != NONE:
                moments[slot, _RETURN], moments[slot, _INVOCATION] = returned[i], invoked[i]
            continue
        if returned[i] >= NEVER:
            continue
        start, length = first[i] - first[0], first[i + 1] - first[i]
        slot = base[keys[i]] + length
        content, known = contents[start : start + length], shown[slot - length : slot]
        # All of it is looked at, because that is done many at a time.
        differing = np.int32(0)
        for at in range(length):
            differing |= content[at] ^ known[at]
        past = witness[i] >= 0 and before[slot] > witness[i]
        if differing or past or after[slot] <= witness[i]:
            found[1] = calls.begin + i
            if differing:
                found[0] = log.longest[keys[i]]
                return OTHER_CONTENT
            index = before[slot] if past else after[slot]
            found[0] = log.appender[np.nonzero((log.key_of == keys[i]) & (log.index == index))[0][0]]
            return PAST_ITS_INDEX if past else SHORT_OF_ITS_INDEX
        moments[slot, _FIRST_RETURN] = min(moments[slot, _FIRST_RETURN], returned[i])
        moments[slot, _LAST_INVOCATION] = max(moments[slot, _LAST_INVOCATION], invoked[i])
    return YES


@njit(cache=True)
def in_order(log: Log, found: Any) -> int:
    """Whether nothing had returned before something that stands earlier in its list was invoked."""
    moments, base = log.moments, log.base
    for key in range(base.size - 1):
        latest = NONE
        for slot in range(base[key], base[key + 1]):
            for returned, invoked in ((_FIRST_RETURN, _LAST_INVOCATION), (_RETURN, _INVOCATION)):
                if moments[slot, returned] < latest:
                    found[0], found[1] = moments[slot, returned], latest
                    return OUT_OF_ORDER
                latest = max(latest, moments[slot, invoked])
    return YES
