"""EDN, the notation in which Jepsen, Knossos and Elle write histories (github.com/edn-format/edn).

Read into JSON's values: nil is None; keywords and symbols are their names, characters texts; vectors, lists
and sets are lists; maps are dicts whose keys are texts or whole numbers. A tag says how another program would
build a value, so the value after it stands for itself. What JSON has no word for (ratios, big decimals with
more digits than a float holds, ##Inf, ##NaN) stays the text it is.

Own code, because the one kept library, edn_format 0.8, takes 20 times as long, names no line in its errors
and refuses tags it was not told of. Nothing here recurses, and a file is cut into tokens a piece at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sized
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from checkers.history import HistoryError

# Jepsen's own values are a few levels deep; everything after us may recurse on a value safely.
MAX_DEPTH = 100
# As many as Python converts without being told to; more would take quadratic time.
MAX_DIGITS = 4_300
# Characters cut into tokens at once. Tokens take some ten times the memory of their text.
_PIECE = 1 << 16
_CACHED_TOKENS = 1 << 16

# Possessive (*+): a text that is never closed fails in one pass. It then is the last token there is.
_TOKEN = re.compile(
    r"""[^\s,"\\()\[\]{};\#][^\s,"\\()\[\]{};]*+  # name or number
    |   [()\[\]{}]
    |   "[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)
    |   ;[^\n]*+
    |   \#(?:_|\{|:[^\s,"\\()\[\]{};]*+[\s,]*+\{|[^\s,"\\()\[\]{};]*+)
    |   \\.?[^\s,"\\()\[\]{};]*+""",
    re.VERBOSE | re.DOTALL,
)
_CLOSED_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_GAP = re.compile(r"[\s,]")
_NAME = re.compile(r"[\w.*+!?$%&=<>/'|:#-]+")
_WHOLE = re.compile(r"([+-]?[0-9]+)N?")
_DECIMAL = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(M?)")
_KEPT_AS_TEXT = re.compile(r"[+-]?(?:[0-9]+/[0-9]+|0[xX][0-9a-fA-F]+)")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n", "b": "\b", "f": "\f", '"': '"', "\\": "\\"}
_NAMED_CHARACTERS = {
    "newline": "\n",
    "space": " ",
    "tab": "\t",
    "return": "\r",
    "backspace": "\b",
    "formfeed": "\f",
}
_STRAY = "expected nothing but maps here, one an operation"
_KEY_TYPES = frozenset({str, int})


class _Mark:
    """What a token is that is no value: an opening (which names what closes it, and the namespace of a
    map's keys), a closing, a discard of the next value, or nothing at all (a comment, a tag)."""

    __slots__ = ("closer", "is_list", "kind", "namespace")

    def __init__(self, kind: str, closer: str = "", namespace: str = "", is_list: bool = False) -> None:
        self.kind, self.closer, self.namespace, self.is_list = kind, closer, namespace, is_list


_NOTHING = _Mark("nothing")
_CONSTANTS: dict[str, Any] = {
    "nil": None,
    "true": True,
    "false": False,
    "##Inf": "##Inf",
    "##-Inf": "##-Inf",
    "##NaN": "##NaN",
    "{": _Mark("open", "}"),
    "[": _Mark("open", "]", is_list=True),
    "(": _Mark("open", ")", is_list=True),
    "#{": _Mark("open", "}", is_list=True),
    "}": _Mark("close"),
    "]": _Mark("close"),
    ")": _Mark("close"),
    "#_": _Mark("discard"),
}


class Edn:
    """One file's text. Errors name path:line:column."""

    def __init__(self, text: str, path: Path | str) -> None:
        self._text, self._path = text, path

    def place(self, number: int) -> str:
        """Where the token of this number is: path:line:column."""
        found = next(islice(_TOKEN.finditer(self._text), number, None), None)
        return place(self._path, self._text, found.start() if found else len(self._text))

    def collections(self) -> Iterator[tuple[int, Any]]:
        """The maps, vectors, lists and sets of the file, or where it is one vector or list, those in it; each
        with the number of its first token. Raises HistoryError where the text is no EDN, is cut short, or
        has something else between them."""
        tokens = enumerate(chain.from_iterable(_pieces(self._text)))
        values = _Values()
        plain_keys: set[tuple[Any, ...]] = set()
        open_ones: list[tuple[list[Any], _Mark, int]] = []
        items: list[Any] = []
        around, began, level, number = _NOTHING, 0, -1, 0
        try:
            for number, token in tokens:
                value = values[token]
                if value.__class__ is not _Mark:
                    items.append(value)
                    continue
                kind = value.kind
                if kind == "open":
                    if level < 0:
                        level = 1 if value.is_list else 0
                    open_ones.append((items, around, began))
                    items, around, began = [], value, number
                    _expect_shallow(open_ones)
                elif kind == "close":
                    if token != around.closer:
                        raise ValueError(_mismatch(token, around, self.place(began)))
                    collection = items if around.is_list else _map(around, items, plain_keys)
                    first, (items, around, began) = began, open_ones.pop()
                    if len(open_ones) > level:
                        items.append(collection)
                    elif items or (len(open_ones) < level and collection):
                        raise ValueError(_STRAY)
                    elif len(open_ones) == level:
                        yield first, collection
                elif kind == "discard":
                    _skip(tokens, values)
        except ValueError as error:
            raise HistoryError(f"{self.place(number)}: {error}") from None
        if open_ones or items:
            complaint = "this is never closed; was the file cut short?" if open_ones else _STRAY
            raise HistoryError(f"{self.place(began if open_ones else number)}: {complaint}")


def _expect_shallow(open_ones: Sized) -> None:
    if len(open_ones) > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")


def place(path: Path | str, text: str, offset: int) -> str:
    """path:line:column, both from 1, of a text's character."""
    line = text.count("\n", 0, offset) + 1
    return f"{path}:{line}:{offset - text.rfind(chr(10), 0, offset)}"


def clipped(text: str, most: int = 40) -> str:
    """A piece of a file, quoted, and fit for one line of a message."""
    return ascii(text if len(text) <= most else text[:most] + "…")


def _pieces(text: str) -> Iterator[list[str]]:
    """The tokens, some thousands at once. A piece ends at a gap; where that may lie within its last token (a
    text, a comment, a tag), it is cut again, longer."""
    start, size = 0, _PIECE
    while start < len(text):
        gap = _GAP.search(text, start + size)
        end = gap.start() if gap else len(text)
        tokens: list[str] = _TOKEN.findall(text, start, end)
        last = tokens[-1] if tokens else ""
        torn = last.startswith((";", "#")) or (last.startswith('"') and not _CLOSED_TEXT.fullmatch(last))
        if torn and end < len(text):
            size *= 2
            continue
        yield tokens
        start, size = end, _PIECE


def _skip(tokens: Iterator[tuple[int, str]], values: _Values) -> None:
    """Reads the value that a #_ discards."""
    depth, wanted = 0, 1
    while wanted:
        _, token = next(tokens, (0, None))
        if token is None:
            raise ValueError("#_ with nothing after it; was the file cut short?")
        value = values[token]
        if value.__class__ is not _Mark:
            wanted -= depth == 0
        elif value.kind == "open":
            depth += 1
        elif value.kind == "close":
            depth -= 1
            if depth < 0:
                raise ValueError("#_ with nothing after it")
            wanted -= depth == 0
        elif value.kind == "discard":
            wanted += depth == 0


def _mismatch(token: str, around: _Mark, began: str) -> str:
    if around is _NOTHING:
        return f"{token} closes nothing"
    return f"{token} where {around.closer} should close what began at {began}"


def _map(mark: _Mark, items: list[Any], plain_keys: set[tuple[Any, ...]]) -> dict[str | int, Any]:
    """`plain_keys` remembers which texts went well as a map's keys: operations' maps have the same again and
    again."""
    keys = tuple(items[::2])
    if not mark.namespace:
        with suppress(TypeError):  # of a key that is a collection
            if keys in plain_keys and len(items) % 2 == 0:
                return dict(zip(keys, items[1::2], strict=True))
    if len(items) % 2:
        raise ValueError("a map with a key that has no value")
    names = [_key(key, mark.namespace) for key in keys]
    built = dict(zip(names, items[1::2], strict=True))
    if len(built) != len(names):
        raise ValueError("a map with the same key twice")
    if not mark.namespace and {*map(type, keys)} == {str} and len(plain_keys) < _CACHED_TOKENS:
        plain_keys.add(keys)
    return built


def _key(key: Any, namespace: str) -> str | int:
    if type(key) is str and namespace and "/" not in key:
        return f"{namespace}/{key}"
    return key if type(key) in _KEY_TYPES else json.dumps(key, ensure_ascii=False)


class _Values(dict[str, Any]):
    """A token's value, remembered for the first so many tokens. Raises ValueError for what is no EDN."""

    def __init__(self) -> None:
        super().__init__(_CONSTANTS)

    def __missing__(self, token: str) -> Any:
        value = int(token) if len(token) <= 18 and token.isascii() and token.isdigit() else _value(token)
        if len(self) < _CACHED_TOKENS:
            self[token] = value
        return value


def _value(token: str) -> Any:
    first = token[0]
    if first == '"':
        return _text(token)
    if first == "\\":
        return _character(token[1:])
    if first == ";":
        return _NOTHING
    if first == "#":
        return _tag(token)
    if first.isdigit() or (first in "+-" and token[1:2].isdigit()):
        return _number(token)
    if not _NAME.fullmatch(token) or token == ":":
        raise ValueError(f"{clipped(token)} is no EDN")
    return token[1:] if first == ":" else token


def _text(token: str) -> str:
    if not _CLOSED_TEXT.fullmatch(token):
        raise ValueError("a text that is never closed; was the file cut short?")
    if "\\" not in token:
        return token[1:-1]
    return _whole_characters(_ESCAPE.sub(_unescaped, token[1:-1]))


def _unescaped(found: re.Match[str]) -> str:
    escape = found[1]
    if escape in _ESCAPED:
        return _ESCAPED[escape]
    if len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape.isdigit():
        return chr(int(escape, 8))
    raise ValueError(f"a text with \\{clipped(escape)}, which is no escape of EDN")


def _whole_characters(text: str) -> str:
    """Joins pairs of surrogates, as JSON and Java write characters above U+FFFF."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("a text with half a character (a lone surrogate)") from None


def _character(name: str) -> str:
    if len(name) == 1:
        return name
    if name in _NAMED_CHARACTERS:
        return _NAMED_CHARACTERS[name]
    if len(name) == 5 and re.fullmatch("u[0-9a-fA-F]{4}", name):
        return _whole_characters(chr(int(name[1:], 16)))
    raise ValueError(f"\\{clipped(name)} is no character of EDN")


def _tag(token: str) -> _Mark:
    if token.startswith("#:") and token.endswith("{"):
        return _Mark("open", "}", token[2:-1].rstrip(" \t\r\n,"))
    if len(token) > 1 and token[1].isalpha() and _NAME.fullmatch(token, 1):
        return _NOTHING
    raise ValueError(f"{clipped(token)} is no EDN")


def _number(token: str) -> int | float | str:
    if len(token) > MAX_DIGITS:
        raise ValueError(f"a number of {len(token)} characters; at most {MAX_DIGITS} are read")
    if whole := _WHOLE.fullmatch(token):
        return int(whole[1])
    if decimal := _DECIMAL.fullmatch(token):
        number = float(decimal[1])
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"{clipped(token)} is too large for a floating-point number")
        return token if decimal[2] and len(token) > 15 else number
    if _KEPT_AS_TEXT.fullmatch(token):
        return token
    raise ValueError(f"{clipped(token)} is no number of EDN")
