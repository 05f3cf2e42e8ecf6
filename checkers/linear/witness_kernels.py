"""Lists whose appends and reads report log indices, compiled. `witness.py` says what is decided."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from checkers.compiled import njit, same

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

    entries: a row an element, of its append: its position, NONE: there is none; its list, its log index and
        its ranks; and whether a read shows it
    base, known, longest: of each list its first slot, how many elements the longest read shows, and that read
    shown: by slot, one for each append of a list in the only possible order and one more, the element, NONE
        behind them all
    slots: a row a slot; as far as reads show any, the greatest log index in front of it and the least from it
        on; and of the reads that show what is in front of it the first return and the last invocation
    """

    entries: Any
    base: Any
    known: Any
    longest: Any
    shown: Any
    slots: Any


# The columns of `entries` and of `slots`: a row has to be found once only, and lies together.
_APPENDER, _LIST, _INDEX, _RETURNED, _INVOKED, _SHOWN = range(6)
_BEFORE, _AFTER, _FIRST_RETURN, _LAST_INVOCATION = range(4)


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
    entries = np.empty((elements, 6), np.int64)
    for element in range(elements):
        entries[element, _APPENDER], entries[element, _SHOWN] = NONE, False
    slots = np.empty((base[-1], 4), np.int64)
    for slot in range(base[-1]):
        slots[slot, _BEFORE] = slots[slot, _LAST_INVOCATION] = NONE
        slots[slot, _AFTER] = slots[slot, _FIRST_RETURN] = NEVER
    return Log(
        entries,
        base,
        np.zeros(appends.size, np.int64),
        np.full(appends.size, NONE, np.int64),
        np.full(base[-1], NONE, np.int32),
        slots,
    )


# Whole tables are handed on only between loops, not inside them: every array of one is counted each time. And
# appends and reads are gone through apart, since nobody could foretell which of the two comes next.


@njit(cache=True)
def _appends(calls: Calls) -> Any:
    """Their positions in the columns."""
    append, positions, count = calls.append, np.empty(calls.append.size, np.int64), 0
    for i in range(append.size):
        positions[count] = i
        count += append[i] != 0
    return positions[:count]


@njit(cache=True)
def _reads(calls: Calls) -> Any:
    """The positions of those that returned."""
    append, returned = calls.append, calls.returned
    positions, count = np.empty(append.size, np.int64), 0
    for i in range(append.size):
        positions[count] = i
        count += (append[i] == 0) & (returned[i] < NEVER)
    return positions[:count]


@njit(cache=True)
def learn(calls: Calls, log: Log, found: Any) -> int:
    """Enters the appends, and of each list the longest content."""
    status = _learn_appends(calls, log, found)
    return int(status if status != YES else _learn_contents(calls, log, found))


@njit(cache=True)
def _learn_appends(calls: Calls, log: Log, found: Any) -> int:
    keys, elements, witness = calls.key, calls.element, calls.witness
    invoked, returned, begin, entries = calls.invoked, calls.returned, calls.begin, log.entries
    for i in _appends(calls):
        element = elements[i]
        if entries[element, _APPENDER] != NONE:
            found[0], found[1] = entries[element, _APPENDER], begin + i
            return REPEATED
        told = witness[i] if witness[i] >= 0 else _UNTOLD
        entries[element, _APPENDER], entries[element, _LIST] = begin + i, keys[i]
        entries[element, _INDEX] = told if returned[i] < NEVER else _CRASHED
        entries[element, _RETURNED], entries[element, _INVOKED] = returned[i], invoked[i]
    return YES


@njit(cache=True)
def _learn_contents(calls: Calls, log: Log, found: Any) -> int:
    keys, first, contents, begin = calls.key, calls.first, calls.contents, calls.begin
    base, shown, known, longest, before = log.base, log.shown, log.known, log.longest, log.known.copy()
    for i in _reads(calls)[::-1]:  # the longest come last, so that few are longer than what was seen
        key, length = keys[i], first[i + 1] - first[i]
        if length > known[key]:
            known[key], longest[key] = length, begin + i
    for key in range(known.size):
        if known[key] > before[key]:
            if known[key] >= base[key + 1] - base[key]:
                found[0] = longest[key]
                return NEVER_APPENDED
            start = first[longest[key] - begin] - first[0]
            for at in range(before[key], known[key]):
                shown[base[key] + at] = contents[start + at]
    return YES


@njit(cache=True)
def settle(log: Log, found: Any) -> int:
    """Gives every append a slot: those that were read as they were read, then the others by their log
    indices."""
    status = _settle_shown(log, found)
    return int(status if status != YES else _settle_others(log, found))


@njit(cache=True)
def _settle_shown(log: Log, found: Any) -> int:
    entries, base, shown, slots = log.entries, log.base, log.shown, log.slots
    for key in range(log.known.size):
        latest, latest_index = NONE, NONE
        for slot in range(base[key], base[key] + log.known[key]):
            element = shown[slot]
            known = 0 <= element < len(entries) and entries[element, _APPENDER] != NONE
            if not known or entries[element, _LIST] != key:
                found[0] = log.longest[key]
                return NEVER_APPENDED
            if entries[element, _SHOWN]:
                found[0], found[1] = entries[element, _APPENDER], log.longest[key]
                return SHOWN_TWICE
            entries[element, _SHOWN] = True
            if entries[element, _INDEX] >= 0:
                if entries[element, _INDEX] <= latest_index:
                    found[0], found[1] = entries[latest, _APPENDER], entries[element, _APPENDER]
                    return OUT_OF_LOG_ORDER
                latest, latest_index = element, entries[element, _INDEX]
            slots[slot + 1, _BEFORE] = latest_index
    return YES


@njit(cache=True)
def _settle_others(log: Log, found: Any) -> int:
    entries, slots, shown = log.entries, log.slots, log.shown
    ends = log.base[:-1] + log.known
    free, latest = ends.copy(), np.full(ends.size, NONE)
    others = _not_shown(entries)
    for element in others[np.argsort(entries[others, _INDEX])]:
        key, index = entries[element, _LIST], entries[element, _INDEX]
        if index == _UNTOLD:
            found[0] = entries[element, _APPENDER]
            return UNTOLD
        if index <= slots[ends[key], _BEFORE]:
            found[0], found[1] = entries[element, _APPENDER], log.longest[key]
            return LOST
        if latest[key] != NONE and entries[latest[key], _INDEX] == index:
            found[0], found[1] = entries[latest[key], _APPENDER], entries[element, _APPENDER]
            return OUT_OF_LOG_ORDER
        latest[key] = element
        slots[ends[key], _AFTER] = min(slots[ends[key], _AFTER], index)
        shown[free[key]] = element
        free[key] += 1
    for key in range(ends.size):
        for slot in range(ends[key] - 1, log.base[key] - 1, -1):
            index = entries[shown[slot], _INDEX]
            slots[slot, _AFTER] = index if index >= 0 else slots[slot + 1, _AFTER]
    return YES


@njit(cache=True)
def _not_shown(entries: Any) -> Any:
    """The elements that no read shows, and that were appended all the same."""
    elements, count = np.empty(len(entries), np.int64), 0
    for element in range(len(entries)):
        elements[count] = element
        appended = (entries[element, _APPENDER] != NONE) & (entries[element, _INDEX] != _CRASHED)
        count += appended & (not entries[element, _SHOWN])
    return elements[:count]


@njit(cache=True)
def compare(calls: Calls, log: Log, found: Any) -> int:
    """Compares each read with its list, and enters when that was."""
    keys, witness, first, contents = calls.key, calls.witness, calls.first, calls.contents
    invoked, returned, base, shown, slots = calls.invoked, calls.returned, log.base, log.shown, log.slots
    for i in _reads(calls):
        begin, length = base[keys[i]], first[i + 1] - first[i]
        slot = begin + length
        alike = same(contents, first[i] - first[0], shown, begin, length)
        past = witness[i] >= 0 and slots[slot, _BEFORE] > witness[i]
        if not alike or past or slots[slot, _AFTER] <= witness[i]:
            found[1] = calls.begin + i
            if not alike:
                found[0], found[1] = min(found[1], log.longest[keys[i]]), max(found[1], log.longest[keys[i]])
                return OTHER_CONTENT
            found[0] = _appender_at(log.entries, keys[i], slots[slot, _BEFORE if past else _AFTER])
            return PAST_ITS_INDEX if past else SHORT_OF_ITS_INDEX
        slots[slot, _FIRST_RETURN] = min(slots[slot, _FIRST_RETURN], returned[i])
        slots[slot, _LAST_INVOCATION] = max(slots[slot, _LAST_INVOCATION], invoked[i])
    return YES


@njit(cache=True)
def _appender_at(entries: Any, key: int, index: int) -> int:
    """Who appended to this list at this log index."""
    there = (entries[:, _APPENDER] != NONE) & (entries[:, _LIST] == key) & (entries[:, _INDEX] == index)
    return int(entries[np.nonzero(there)[0][0], _APPENDER])


@njit(cache=True)
def in_order(log: Log, found: Any) -> int:
    """Whether nothing had returned before something that stands earlier in its list was invoked."""
    entries, base, shown, slots = log.entries, log.base, log.shown, log.slots
    for key in range(base.size - 1):
        latest = NONE
        for slot in range(base[key], base[key + 1]):
            if slots[slot, _FIRST_RETURN] < latest:
                found[0], found[1] = slots[slot, _FIRST_RETURN], latest
                return OUT_OF_ORDER
            latest = max(latest, slots[slot, _LAST_INVOCATION])
            element = shown[slot]
            if element == NONE:
                continue
            if entries[element, _RETURNED] < latest:
                found[0], found[1] = entries[element, _RETURNED], latest
                return OUT_OF_ORDER
            latest = max(latest, entries[element, _INVOKED])
    return YES


@njit(cache=True)
def explain(calls: Calls, keys: int, elements: int, found: Any) -> int:
    """All of it, where the operations are at hand in one part."""
    appends = np.zeros(keys, np.int64)
    count(calls, appends)
    log = empty_log(appends, elements)
    status = learn(calls, log, found)
    if status == YES:
        status = settle(log, found)
    if status == YES:
        status = compare(calls, log, found)
    return int(in_order(log, found) if status == YES else status)
