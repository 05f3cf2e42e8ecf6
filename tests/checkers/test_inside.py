"""The watchdog inside a simulated cluster, told by hand: each promise kept, and the same promise broken."""

from __future__ import annotations

import pytest

from checkers.history import History
from checkers.inside import PATIENCE_NS, Violation
from checkers.invariants import invariants
from checkers.verdict import Validity
from tests.checkers.story import (
    BOUND_NS,
    A,
    B,
    C,
    Story,
    Told,
    a_follower_hears_of_an_earlier_term,
    a_session_is_opened_again,
    acknowledges,
    acknowledges_after_a_crash,
    acknowledges_late,
    appends_what_is_gone_by_now,
    applies,
    applies_after_a_boot,
    asks,
    both_apply,
    commits,
    commits_after_a_truncation,
    commits_again_after_a_boot,
    commits_what_a_disk_has_another_of,
    commits_what_is_on_disks,
    commits_what_it_has,
    counts_in_term_3,
    dies,
    disk_holds_terms,
    draws,
    enters_terms,
    followers,
    leaders,
    leads_after_a_commit,
    owes,
    reads,
    sent_twice,
    stands_at,
    starts_again,
    two_logs,
    vote_leaves,
    vote_leaves_after_a_boot,
    votes,
    waits,
)

KEPT: dict[str, Told] = {
    "terms that rise, or stay": enters_terms(1, 2, 2, 5),
    "a disk's terms that rise": disk_holds_terms(1, 1, 4),
    "a boot in the same term, with its vote": starts_again(3, B),
    "a boot in a later term": starts_again(4, None),
    "a vote that is on the disk": vote_leaves(3, B),
    "a vote older than what the disk holds": vote_leaves(4, None),
    "a vote of an earlier boot": vote_leaves_after_a_boot(3, B),
    "an acknowledgement of what is on the disk": acknowledges(2, 1, 1, 1),
    "an acknowledgement of less": acknowledges(1, 1, 1, 2),
    "an acknowledgement of nothing": acknowledges(0, 0),
    "a late acknowledgement of what was on the disk": acknowledges_late(2, 1, 2, now=3),
    "a late acknowledgement of nothing": acknowledges_late(0, now=3),
    "a late acknowledgement of what was replaced": acknowledges_late(1, 1, now=3),
    "an acknowledgement of what came back": acknowledges_after_a_crash(2),
    "a vote a term": votes((1, A), (2, B), (2, B)),
    "a leader a term": leaders((A, 1), (B, 2), (B, 2)),
    "followers of a leader": followers(A, B, C),
    "a leader with all that was committed": leads_after_a_commit(3, 1, 2),
    "a leader with more": leads_after_a_commit(3, 1, 2, 2),
    "an election decided before the commit, heard of after it": leads_after_a_commit(2),
    "the same entries in two logs": two_logs((1, 1, 2), (1, 1, 2)),
    "other entries of other terms": two_logs((1, 1), (1, 2)),
    "a line about a log that has changed since": appends_what_is_gone_by_now,
    "commits that rise": commits(1, 3),
    "commits heard of again after a boot": commits_again_after_a_boot,
    "an earlier term's entry below one of its own": counts_in_term_3(1, 3),
    "a follower with an earlier term's entry": a_follower_hears_of_an_earlier_term,
    "the same commit at two nodes": commits_what_it_has(1, 1),
    "a commit on two of three disks": commits_what_is_on_disks(B, C),
    "applied in order": applies(1, 2, 3),
    "applied from the beginning after a boot": applies_after_a_boot(0, 1),
    "applied from a snapshot after a boot": applies_after_a_boot(1, 2),
    "applied alike": both_apply(),
    "election timeouts of which two are the same": draws(5, 6, 5, 7),
    "as much applied as was told": stands_at(2, told=2, committed=2),
    "asked a moment ago": owes(PATIENCE_NS),
    "another client's command 1": sent_twice("c2", 1),
    "sent again, and answered from memory": sent_twice("c1", 1, "duplicate"),
    "a session opened again": a_session_is_opened_again,
    "nobody asked": waits(None, 0, 10 * BOUND_NS, 3),
    "no majority": waits(0, 0, 10 * BOUND_NS, 1),
    "within the bound": waits(0, 0, BOUND_NS, 3),
    "asked only just now": waits(9 * BOUND_NS, 0, 10 * BOUND_NS, 3),
    "healed only just now": waits(0, 9 * BOUND_NS, 10 * BOUND_NS, 3),
    "refused, and nobody asks again": asks(3, now_ns=10 * BOUND_NS, refused=True),
    "a read was answered since": asks(3, 4, now_ns=10 * BOUND_NS, read=True),
    "committed since": waits(0, 0, 10 * BOUND_NS, 3, commit=True),
    "a read of all that was committed": reads(5, 5),
    "a read of more": reads(6, 5),
}

BROKEN: dict[str, tuple[Told, str]] = {
    "terms that fall": (enters_terms(2, 1), "term-fell"),
    "a disk's terms that fall": (disk_holds_terms(2, 1), "term-fell"),
    "a boot in an earlier term": (starts_again(2, None), "term-fell"),
    "a boot without its vote": (starts_again(3, None), "vote-forgotten"),
    "a boot with another vote": (starts_again(3, C), "vote-forgotten"),
    "a vote, the disk a term behind": (vote_leaves(2, None), "vote-not-durable"),
    "a vote, only the term on the disk": (vote_leaves(3, None), "vote-not-durable"),
    "a vote, another on the disk": (vote_leaves(3, C), "vote-not-durable"),
    "a vote that an earlier boot did not keep": (vote_leaves_after_a_boot(2, None), "vote-not-durable"),
    "an acknowledgement of more than the disk has": (acknowledges(2, 1, 1), "ack-not-durable"),
    "an acknowledgement of another entry": (acknowledges(2, 2, 1, 1), "ack-not-durable"),
    "a late acknowledgement of what was never on the disk": (
        acknowledges_late(2, 1, now=3),
        "ack-not-durable",
    ),
    "a late acknowledgement of a later term's entry": (acknowledges_late(1, 3, now=4), "ack-not-durable"),
    "an acknowledgement of what is lost": (acknowledges_after_a_crash(1), "ack-not-durable"),
    "two votes in a term": (votes((2, B), (2, C)), "two-votes"),
    "two leaders of a term": (leaders((A, 2), (B, 2)), "two-leaders"),
    "a leader without a committed entry": (leads_after_a_commit(3, 1), "lost-commit"),
    "a leader with another entry there": (leads_after_a_commit(4, 1, 3), "lost-commit"),
    "one entry, two contents": (two_logs((1,), (1,), digest="e"), "log-mismatch"),
    "one entry behind two others": (two_logs((1, 3), (2, 3)), "log-mismatch"),
    "a commit index that falls": (commits(2, 1), "commit-fell"),
    "a commit index that stays": (commits(2, 2), "commit-fell"),
    "an earlier term's entry by counting": (counts_in_term_3(1, 2), "commit-of-earlier-term"),
    "a commit of what it does not have": (commits_what_it_has(1), "commit-of-nothing"),
    "a commit of another entry": (commits_what_it_has(1, 2), "commit-differs"),
    "a commit on one disk": (commits_what_is_on_disks(A), "commit-not-durable"),
    "a commit on no disk": (commits_what_is_on_disks(), "commit-not-durable"),
    "a commit where disks have another": (commits_what_a_disk_has_another_of, "commit-not-durable"),
    "a commit of what a disk has cut off": (commits_after_a_truncation, "commit-not-durable"),
    "election timeouts of which three are the same": (draws(5, 6, 5, 5), "same-timeout"),
    "an entry left out": (applies(1, 3), "apply-order"),
    "more applied than was told": (stands_at(2, told=1, committed=2), "untold"),
    "more applied than was told to be committed": (stands_at(2, told=2, committed=1), "untold"),
    "an answer that is owed to the end": (owes(PATIENCE_NS + 1), "unanswered"),
    "an entry applied again": (applies(1, 1), "apply-order"),
    "applied on top of nothing after a boot": (applies_after_a_boot(0, 2), "apply-order"),
    "another entry applied": (both_apply(digest="x"), "apply-differs"),
    "an entry of another term applied": (both_apply(term=2), "apply-differs"),
    "another outcome": (both_apply(outcome="duplicate"), "apply-differs"),
    "a command that takes effect twice": (sent_twice("c1", 1), "applied-twice"),
    "no progress since it was asked": (waits(3, 0, BOUND_NS + 4, 3), "no-progress"),
    "no progress since it was healed": (waits(0, 3, BOUND_NS + 4, 2), "no-progress"),
    "no progress, however often it is asked": (asks(3, BOUND_NS, now_ns=BOUND_NS + 4), "no-progress"),
    "no progress, always refused": (asks(3, BOUND_NS + 4, now_ns=BOUND_NS + 5, refused=True), "no-progress"),
    "a read of less than was committed": (reads(4, 5), "stale-answer"),
    "a node that stops itself": (dies, "node-died"),
}


@pytest.mark.parametrize("what", KEPT)
def test_promises_kept(what: str) -> None:
    story = Story()
    KEPT[what](story)
    assert story.dog.violations == []


@pytest.mark.parametrize("what", BROKEN)
def test_promises_broken(what: str) -> None:
    story = Story()
    tell, kind = BROKEN[what]
    tell(story)
    assert story.kinds == [kind]


def test_every_kind_is_broken_here() -> None:
    """Those that the watchdog itself knows. system/simulation/probes.py has five more, and node.py there one:
    tests/simulation/test_inside.py shows those."""
    assert sorted(dict.fromkeys(kind for _, kind in BROKEN.values())) == [
        *("ack-not-durable", "applied-twice", "apply-differs", "apply-order", "commit-differs"),
        *("commit-fell", "commit-not-durable", "commit-of-earlier-term", "commit-of-nothing"),
        *("log-mismatch", "lost-commit", "no-progress", "node-died", "same-timeout", "stale-answer"),
        *("term-fell", "two-leaders", "two-votes", "unanswered", "untold", "vote-forgotten"),
        "vote-not-durable",
    ]


def test_a_violation_says_who_when_and_what() -> None:
    story = Story()
    leads_after_a_commit(4, 1, 3)(story)
    assert story.dog.violations == [
        Violation(
            "lost-commit",
            "b: it leads term 4 without entry 2 of term 2, which was committed in term 2; it has one of term"
            " 3 there",
            story.now_ns,
            B,
        )
    ]


def test_whoever_asked_is_told_at_once() -> None:
    story, told = Story(), list[str]()
    story.dog.on_violation = lambda: told.append(story.dog.violations[-1].kind)
    leaders((A, 1), (B, 1))(story)
    assert told == ["two-leaders"]


def test_a_leader_is_deposed_by_a_later_election() -> None:
    story = Story()
    assert not story.dog.is_deposed(A)
    leaders((A, 1))(story)
    assert not story.dog.is_deposed(A)
    leaders((B, 2))(story)
    assert story.dog.is_deposed(A) and not story.dog.is_deposed(B)


# What a run recorded of it.


def facts(*violations: Violation, commits: int = 7) -> History:
    said = {"violations": [v.to_json() for v in violations], "steps": 40, "commits": commits}
    return History(facts={"invariants": said})


def test_a_run_without_violations_is_yes() -> None:
    verdict = invariants(facts())
    assert verdict.valid is Validity.YES
    assert verdict.summary == "40 steps and 7 commits kept what Raft promises, on every disk"


def test_a_run_with_one_is_no() -> None:
    verdict = invariants(facts(Violation("lost-commit", "b: it leads", 5, B)))
    assert verdict.valid is Validity.NO
    (anomaly,) = verdict.anomalies
    assert (anomaly.kind, anomaly.message, anomaly.time_ns) == ("lost-commit", "b: it leads", 5)


def test_a_violation_counts_though_nothing_was_committed() -> None:
    assert invariants(facts(Violation("two-votes", "a: it votes", 5, A), commits=0)).valid is Validity.NO


@pytest.mark.parametrize("history", [History(), History(facts={"invariants": None}), facts(commits=0)])
def test_a_run_that_could_show_nothing_is_vacuous(history: History) -> None:
    assert invariants(history).valid is Validity.VACUOUS
