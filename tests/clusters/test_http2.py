"""What passes a cut of messages, and what is kept back: frame by frame."""

from __future__ import annotations

import pytest

from system.clusters.http2 import (
    CLIENT_PREFACE,
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    OPAQUE,
    PING,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    Frames,
    build,
)

OPENING = CLIENT_PREFACE + build(SETTINGS, b"\0" * 6)
REQUEST = build(HEADERS, b"method", flags=END_HEADERS, stream=1)
MESSAGE = build(DATA, b"x" * 300, stream=1)
OWN_TALK = [
    build(PING, b"12345678"),
    build(SETTINGS),
    build(WINDOW_UPDATE, b"\0\0\1\0"),
    build(GOAWAY, b"\0" * 8),
]


def all_pass(_frame: Frame) -> bool:
    return True


def begun(*frames: bytes) -> Frames:
    """A client's direction in which all of this passed."""
    follow = Frames(client=True)
    data = OPENING + b"".join(frames)
    assert follow.split(data, all_pass) == (data, b"")
    return follow


def test_frames_are_followed_through_any_pieces() -> None:
    data = OPENING + REQUEST + MESSAGE + OWN_TALK[0] + MESSAGE
    for size in (1, 2, 5, 9, 17, 64, len(data)):
        seen: list[int] = []
        follow = Frames(client=True)

        def note(frame: Frame, seen: list[int] = seen) -> bool:
            seen.append(frame.kind)
            return True

        passed = b"".join(follow.split(data[at : at + size], note)[0] for at in range(0, len(data), size))
        assert passed == data
        assert seen[1:] == [SETTINGS, HEADERS, DATA, PING, DATA]


@pytest.mark.parametrize("talk", OWN_TALK)
def test_what_the_connection_says_of_itself_overtakes_messages(talk: bytes) -> None:
    follow = begun(REQUEST)
    assert follow.split(MESSAGE + talk + MESSAGE, follow.says_of_itself) == (talk, MESSAGE + MESSAGE)


def test_own_talk_passes_whole_or_not_yet() -> None:
    follow = begun(REQUEST)
    ping = OWN_TALK[0]
    assert follow.split(ping[:11], follow.says_of_itself) == (b"", b"")
    assert follow.split(ping[11:], follow.says_of_itself) == (ping, b"")


def test_a_window_update_waits_with_the_stream_that_the_peer_does_not_know_yet() -> None:
    follow = begun(REQUEST)
    known = build(WINDOW_UPDATE, b"\0\0\1\0", stream=1)
    peers_own = build(WINDOW_UPDATE, b"\0\0\1\0", stream=2)
    opens = build(HEADERS, b"m", flags=END_HEADERS, stream=3)
    unknown = build(WINDOW_UPDATE, b"\0\0\1\0", stream=3)
    assert follow.split(known + peers_own + opens + unknown, follow.says_of_itself) == (
        known + peers_own,
        opens + unknown,
    )
    follow.admit_rest()
    assert follow.split(unknown, follow.says_of_itself) == (unknown, b""), "known once it was let go"


def test_a_message_that_began_before_the_cut_is_finished() -> None:
    follow = begun(REQUEST, MESSAGE[:100])
    assert follow.split(MESSAGE[100:] + MESSAGE, follow.says_of_itself) == (MESSAGE[100:], MESSAGE)


def test_a_header_block_that_began_before_the_cut_is_finished() -> None:
    follow = begun(build(HEADERS, b"first", stream=3))
    last = build(CONTINUATION, b"last", flags=END_HEADERS, stream=3)
    later = build(HEADERS, b"more", stream=5) + build(CONTINUATION, b"last", flags=END_HEADERS, stream=5)
    assert follow.split(last + later, follow.says_of_itself) == (last, later)


def test_the_rest_of_a_message_follows_what_was_let_go() -> None:
    follow = begun(REQUEST)
    assert follow.split(MESSAGE[:50], follow.says_of_itself) == (b"", MESSAGE[:50])
    follow.admit_rest()
    assert follow.split(MESSAGE[50:] + MESSAGE, all_pass) == (MESSAGE[50:] + MESSAGE, b"")


@pytest.mark.parametrize(
    ("client", "data"), [(True, b"GET / HTTP/1.1"), (False, b"HTTP/1.1 200 OK"), (True, b"PRI!")]
)
def test_what_is_not_http2_is_all_messages(client: bool, data: bytes) -> None:
    seen: list[int] = []
    follow = Frames(client=client)

    def note(frame: Frame) -> bool:
        seen.append(frame.kind)
        return follow.says_of_itself(frame)

    assert follow.split(data, note) == (b"", data)
    assert seen == [OPAQUE]
