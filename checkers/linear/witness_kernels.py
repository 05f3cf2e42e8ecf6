"""Lists whose appends and reads report log indices, compiled. `witness.py` says what is decided."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from checkers.compiled import njit, same

NONE = -1
NEVER = 1 << 60
# NONE as an element's number, where that is unsigned.
_NOTHING = np.uint32(0xFFFFFFFF)
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


class Appends(NamedTuple):
    """What every element's append was.

    at: its position, NONE: there is none
    rows: the list, the log index and the ranks, where there is one
    of_list: how many each list has
    """

    at: Any
    rows: Any
    of_list: Any


class Lists(NamedTuple):
    """What is known of all lists.

    seen: of each element, whether a read shows it
    base, known, longest: of each list its first slot, how many elements the longest read shows, and that read
    shown: by slot, one for each append of a list in the only possible order and one more, the element, NONE
        behind them all
    slots: a row a slot, as far as reads show any: the greatest log index in front of it and the least from it
        on; and of the reads that show what is in front of it the first return and the last invocation
    """

    seen: Any
    base: Any
    known: Any
    longest: Any
    shown: Any
    slots: Any


# The columns of an append's row and of a slot's: it has to be found once only, and lies together.
_LIST, _INDEX, _RETURNED, _INVOKED = range(4)
_BEFORE, _AFTER, _FIRST_RETURN, _LAST_INVOCATION = range(4)

# Whole tables are handed on only between loops, not inside them: every array of one is counted each time.
# Appends and reads are gone through apart, since nobody could foretell which of the two comes next. And an
# index is unsigned where that is quicker: any other is looked at first for being negative.


@njit(cache=True)
def no_appends(lists: int, elements: int) -> Appends:
    return Appends(
        np.full(elements, NONE, np.int64), np.empty((elements, 4), np.int64), np.zeros(lists, np.int64)
    )


@njit(cache=True)
def empty_lists(appends: Appends) -> Lists:
    base = np.zeros(appends.of_list.size + 1, np.int64)
    base[1:] = np.cumsum(appends.of_list + 1)
    return Lists(
        np.zeros(appends.at.size, np.bool_),
        base,
        np.zeros(appends.of_list.size, np.int64),
        np.full(appends.of_list.size, NONE, np.int64),
        np.full(base[-1], NONE, np.int32),
        np.empty((base[-1], 4), np.int64),
    )


@njit(cache=True)
def _apart(calls: Calls) -> Any:
    """The appends' positions in the columns, and those of the reads that returned."""
    append, returned = calls.append, calls.returned
    appends, reads = np.empty(append.size, np.uint32), np.empty(append.size, np.uint32)
    appended = read = 0
    for i in range(append.size):
        appends[appended] = reads[read] = i
        appended += append[i] != 0
        read += (append[i] == 0) & (returned[i] < NEVER)
    return appends[:appended], reads[:read]


@njit(cache=True)
def enter(calls: Calls, appends: Appends, found: Any) -> int:
    """Enters the appends."""
    return int(_enter(calls, _apart(calls)[0], appends, found))


@njit(cache=True)
def _enter(calls: Calls, positions: Any, appends: Appends, found: Any) -> int:
    keys, elements, witness = calls.key, calls.element, calls.witness
    invoked, returned, begin = calls.invoked, calls.returned, calls.begin
    at, rows, of_list = appends.at, appends.rows, appends.of_list
    for i in positions:
        element, key = np.uint32(elements[i]), np.uint32(keys[i])
        if at[element] != NONE:
            found[0], found[1] = at[element], begin + i
            return REPEATED
        told = witness[i] if witness[i] >= 0 else _UNTOLD
        at[element], rows[element, _LIST] = begin + i, key
        rows[element, _INDEX] = told if returned[i] < NEVER else _CRASHED
        rows[element, _RETURNED], rows[element, _INVOKED] = returned[i], invoked[i]
        of_list[key] += 1
    return YES


@njit(cache=True)
def show(calls: Calls, lists: Lists, found: Any) -> int:
    """Enters the longest content of each list."""
    return int(_show(calls, _apart(calls)[1], lists, found))


@njit(cache=True)
def _show(calls: Calls, reads: Any, lists: Lists, found: Any) -> int:
    keys, first, contents, begin = calls.key, calls.first, calls.contents, calls.begin
    base, shown, known, longest, before = (
        lists.base,
        lists.shown,
        lists.known,
        lists.longest,
        lists.known.copy(),
    )
    for i in reads[::-1]:  # the longest come last, so that few are longer than what was seen
        which, length = np.uint32(keys[i]), first[i + 1] - first[i]
        if length > known[which]:
            known[which], longest[which] = length, begin + i
    for key in range(known.size):
        if known[key] > before[key]:
            if known[key] >= base[key + 1] - base[key]:
                found[0] = longest[key]
                return NEVER_APPENDED
            start = first[longest[key] - begin] - first[0]
            for nth in range(before[key], known[key]):
                shown[base[key] + nth] = contents[start + nth]
    return YES


@njit(cache=True)
def settle(appends: Appends, lists: Lists, found: Any) -> int:
    """Gives every append a slot: those that were read as they were read, then the others by their log
    indices."""
    status = _settle_shown(appends, lists, found)
    return int(status if status != YES else _settle_others(appends, lists, found))


@njit(cache=True)
def _settle_shown(appends: Appends, lists: Lists, found: Any) -> int:
    at, rows, seen = appends.at, appends.rows, lists.seen
    base, shown, slots = lists.base, lists.shown, lists.slots
    for key in range(lists.known.size):
        latest: Any = _NOTHING
        latest_index, end = NONE, base[key] + lists.known[key]
        for place in range(base[key], end):
            slot, element = np.uint32(place), np.uint32(shown[place])
            if element >= at.size or at[element] == NONE or rows[element, _LIST] != key:
                found[0] = lists.longest[key]
                return NEVER_APPENDED
            if seen[element]:
                found[0], found[1] = at[element], lists.longest[key]
                return SHOWN_TWICE
            seen[element] = True
            index = rows[element, _INDEX]
            slots[slot, _BEFORE], slots[slot, _AFTER] = latest_index, index
            slots[slot, _FIRST_RETURN], slots[slot, _LAST_INVOCATION] = NEVER, NONE
            if index >= 0:
                if index <= latest_index:
                    found[0], found[1] = at[latest], at[element]
                    return OUT_OF_LOG_ORDER
                latest, latest_index = element, index
        slots[end, _BEFORE], slots[end, _AFTER] = latest_index, NEVER
        slots[end, _FIRST_RETURN], slots[end, _LAST_INVOCATION] = NEVER, NONE
    return YES


@njit(cache=True)
def _settle_others(appends: Appends, lists: Lists, found: Any) -> int:
    at, rows, slots, shown = appends.at, appends.rows, lists.slots, lists.shown
    ends = lists.base[:-1] + lists.known
    free, latest = ends.copy(), np.full(ends.size, NONE)
    others = _not_shown(appends, lists)
    for element in others[np.argsort(rows[others, _INDEX])]:
        key, index = rows[element, _LIST], rows[element, _INDEX]
        if index == _UNTOLD:
            found[0] = at[element]
            return UNTOLD
        if index <= slots[ends[key], _BEFORE]:
            found[0], found[1] = at[element], lists.longest[key]
            return LOST
        if latest[key] != NONE and rows[latest[key], _INDEX] == index:
            found[0], found[1] = at[latest[key]], at[element]
            return OUT_OF_LOG_ORDER
        latest[key] = element
        slots[ends[key], _AFTER] = min(slots[ends[key], _AFTER], index)
        shown[free[key]] = element
        free[key] += 1
    for key in range(ends.size):
        after = slots[ends[key], _AFTER]
        for slot in range(ends[key] - 1, lists.base[key] - 1, -1):
            after = slots[slot, _AFTER] if slots[slot, _AFTER] >= 0 else after
            slots[slot, _AFTER] = after
    return YES


@njit(cache=True)
def _not_shown(appends: Appends, lists: Lists) -> Any:
    """The elements that no read shows, and that were appended all the same."""
    at, rows, seen = appends.at, appends.rows, lists.seen
    elements, count = np.empty(at.size, np.int64), 0
    for element in range(at.size):
        if not seen[element]:  # few
            elements[count] = element
            count += (at[element] != NONE) & (rows[element, _INDEX] != _CRASHED)
    return elements[:count]


@njit(cache=True)
def compare(calls: Calls, appends: Appends, lists: Lists, found: Any) -> int:
    """Compares each read with its list, and enters when that was."""
    return int(_compare(calls, _apart(calls)[1], appends, lists, found))


@njit(cache=True)
def _compare(calls: Calls, reads: Any, appends: Appends, lists: Lists, found: Any) -> int:
    keys, witness, first, contents = calls.key, calls.witness, calls.first, calls.contents
    invoked, returned, base, shown, slots = (
        calls.invoked,
        calls.returned,
        lists.base,
        lists.shown,
        lists.slots,
    )
    for i in reads:
        key = np.uint32(keys[i])
        begin, length = base[key], first[i + 1] - first[i]
        slot = np.uint32(begin + length)
        alike = same(contents, first[i] - first[0], shown, begin, length)
        past = witness[i] >= 0 and slots[slot, _BEFORE] > witness[i]
        if not alike or past or slots[slot, _AFTER] <= witness[i]:
            found[1] = calls.begin + i
            if not alike:
                found[0], found[1] = min(found[1], lists.longest[key]), max(found[1], lists.longest[key])
                return OTHER_CONTENT
            found[0] = _appended_at(appends, key, slots[slot, _BEFORE if past else _AFTER])
            return PAST_ITS_INDEX if past else SHORT_OF_ITS_INDEX
        slots[slot, _FIRST_RETURN] = min(slots[slot, _FIRST_RETURN], returned[i])
        slots[slot, _LAST_INVOCATION] = max(slots[slot, _LAST_INVOCATION], invoked[i])
    return YES


@njit(cache=True)
def _appended_at(appends: Appends, key: Any, index: int) -> int:
    """Who appended to this list at this log index."""
    at, rows = appends.at, appends.rows
    there = (at != NONE) & (rows[:, _LIST] == key) & (rows[:, _INDEX] == index)
    return int(at[np.nonzero(there)[0][0]])


@njit(cache=True)
def in_order(appends: Appends, lists: Lists, found: Any) -> int:
    """Whether nothing had returned before something that stands earlier in its list was invoked."""
    rows, base, shown, slots = appends.rows, lists.base, lists.shown, lists.slots
    for key in range(base.size - 1):
        latest, end = NONE, base[key] + lists.known[key]
        for place in range(base[key], base[key + 1]):
            slot, element = np.uint32(place), np.uint32(shown[place])
            if place <= end:
                if slots[slot, _FIRST_RETURN] < latest:
                    found[0], found[1] = slots[slot, _FIRST_RETURN], latest
                    return OUT_OF_ORDER
                latest = max(latest, slots[slot, _LAST_INVOCATION])
            if element == _NOTHING:
                break
            if rows[element, _RETURNED] < latest:
                found[0], found[1] = rows[element, _RETURNED], latest
                return OUT_OF_ORDER
            latest = max(latest, rows[element, _INVOKED])
    return YES


@njit(cache=True)
def explain(calls: Calls, keys: int, elements: int, found: Any) -> int:
    """All of it, where the operations are at hand in one part."""
    positions, reads = _apart(calls)
    appends = no_appends(keys, elements)
    status = _enter(calls, positions, appends, found)
    if status != YES:
        return int(status)
    lists = empty_lists(appends)
    status = _show(calls, reads, lists, found)
    if status == YES:
        status = settle(appends, lists, found)
    if status == YES:
        status = _compare(calls, reads, appends, lists, found)
    return int(in_order(appends, lists, found) if status == YES else status)
