"""What is asked of a node: whether it should still lead, what it would answer a reader, whom it votes for,
and whether it had to stand for election."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.control_plane.replica import ReadDone, ReadOutcome
from system.control_plane.state_machine import StateMachine
from system.raft.messages import AppendEntries, AppendEntriesReply, Message, RequestVote
from system.raft.roles import Ballot, State
from system.simulation.knobs import MS

if TYPE_CHECKING:
    from system.simulation.node import SimNode, Watching

# On top of the two checks of the quorum within which a leader that is alone must notice.
ALONE_SLACK_NS = 250 * MS


class Probes:
    """Of one node. Reads of its own, without a client: when it has just been elected, and whenever it still
    leads although another was elected since. They cost rounds of heartbeats, as any read does: a run that is
    watched from inside takes other steps than the same run unwatched.

    election_ms: the range of the node's election timeouts
    """

    def __init__(self, node: SimNode, watching: Watching, election_ms: tuple[int, int]) -> None:
        self._node = node
        self._watching = watching
        self._quorum = len(node.world.nodes) // 2 + 1
        self._patience_ns, self._election_max_ns = (ms * MS for ms in election_ms)
        self._alone_ns = int(2.1 * self._election_max_ns) + ALONE_SLACK_NS
        self._heard_ns: dict[str, int] = {}
        # The boot and the term in which it led when its timer last went off, and when each follower last
        # answered in its term.
        self._led: tuple[int, int] | None = None
        self._answered_ns: dict[str, int] = {}
        self._resumed_ns = 0
        self._complained = False
        # {(candidate, term): whether its log was ever good enough when it asked, and when it asked first}
        self._fit: dict[tuple[str, int], bool] = {}
        self._asked_ns: dict[tuple[str, int], int] = {}
        # {(candidate, term, boot): last term and index of the log for which a vote is due; None: it is not}
        self._owes: dict[tuple[str, int, int], tuple[int, int] | None] = {}
        # When the node last had reason to wait, by its own clock: a leader spoke, or it gave away its vote.
        self._content_ns: int | None = None
        self._ballot: Ballot | None = None

    def heard(self, src: str, message: Message) -> None:
        """Before the node takes it in."""
        self._heard_ns[src] = self._node.loop.now_ns
        if self._node.replica is None:
            return
        core = self._node.replica.node
        if isinstance(message, AppendEntries):
            if message.term >= core.current_term:
                self._content_ns = self._node.local_ns()
        elif isinstance(message, AppendEntriesReply):
            if message.term == core.current_term:
                self._answered_ns[src] = self._node.loop.now_ns
        elif isinstance(message, RequestVote) and not message.pre_vote:
            log, asked = core.log, (src, message.term)
            last = message.last_log_term, message.last_log_index
            fit = last >= (log.last_term, log.last_index)
            self._fit[asked] = self._fit.get(asked, False) or fit
            self._asked_ns.setdefault(asked, self._node.local_ns())
            owes = *asked, self._node.boot
            free = message.term > core.current_term or core.voted_for in (None, src)
            if message.term >= core.current_term and fit and free:
                self._owes.setdefault(owes, last)
            else:
                self._owes[owes] = None

    def acknowledges(self, term: int, index: int) -> None:
        """An acknowledgement of entries up to this index leaves the node."""
        node = self._node
        assert node.replica is not None
        core = node.replica.node
        # What it acknowledged in an earlier term need not be in its log any more.
        entry_term = core.log.term_at(index) if core.current_term == term else None
        self._watching.sends_match(node.name, node.loop.now_ns, term, index, entry_term)

    def votes(self, term: int, candidate: str) -> None:
        """The node's vote leaves it."""
        now_ns, name = self._node.loop.now_ns, self._node.name
        self._watching.sends_vote(name, now_ns, term, candidate)
        if not self._fit.get((candidate, term), False):
            message = f"it votes for {candidate} in term {term}, whose log was behind its own (Raft, 5.4.1)"
            self._watching.object("vote-for-less", message, now_ns, name)
        given_ns = self._asked_ns.get((candidate, term), 0)
        self._content_ns = max(self._content_ns or 0, given_ns)

    def refuses(self, term: int, candidate: str) -> None:
        """A refusal leaves the node, maybe late, and maybe of an earlier question: but of this term's vote,
        which it had to give when it was asked, it has made no use to this moment."""
        core = self._node.replica.node if self._node.replica is not None else None
        last = self._owes.get((candidate, term, self._node.boot))
        if core is None or last is None or core.current_term != term:
            return
        if core.voted_for is None and last >= (core.log.last_term, core.log.last_index):
            message = (
                f"it refuses {candidate} its vote in term {term}, though it has given it to nobody, and the"
                " candidate's log is as good as its own (Raft, 5.4.1)"
            )
            self._watching.object("vote-refused", message, self._node.loop.now_ns, self._node.name)

    def resumed(self) -> None:
        """It stood still, and could not notice anything."""
        self._heard_ns.clear()
        self._resumed_ns = self._node.loop.now_ns

    def changed_role(self, role: str) -> None:
        self._complained = False
        if role == "leader":
            self._node.loop.at(self._node.loop.now_ns, self._read, self._node.boot)

    def timer_fired(self) -> None:
        """Looks at the core: what the node has on record may be late, as its disk is."""
        node = self._node
        if node.replica is None:
            return
        core = node.replica.node
        leads, tenure = core.state is State.LEADER, (node.boot, core.current_term)
        if not leads:
            if self._led == tenure:
                self._check_reason(core.current_term)
            self._check_patience(core.ballot, core.election_due_ns - node.local_ns())
        elif node.led_since_ns is not None:
            self._check_alone(max(node.led_since_ns, self._resumed_ns))
            if self._watching.is_deposed(node.name):
                self._read(node.boot)
        self._led = tenure if leads else None

    def _check_patience(self, ballot: Ballot | None, timeout_ns: int) -> None:
        """What it asks of others leaves it when its disk allows; that it wants an election shows here."""
        node = self._node
        known, self._ballot = self._ballot, ballot
        if ballot is None or ballot is known or not ballot.pre_vote:
            return
        self._watching.waits(node.name, node.loop.now_ns, timeout_ns)
        if self._content_ns is None:
            return
        waited_ns = node.local_ns() - self._content_ns
        if waited_ns < self._patience_ns:
            message = (
                f"it wants an election {waited_ns / 1e6:.0f} ms after it heard its leader or gave away its"
                f" vote, and waits {self._patience_ns / 1e6:.0f} ms at least (Raft, 5.2)"
            )
            self._watching.object("needless-election", message, node.loop.now_ns, node.name)

    def _check_reason(self, term: int) -> None:
        """It gave up leading of its own accord."""
        node, now_ns = self._node, self._node.loop.now_ns
        # Half of what it must allow them: its own clock may go faster.
        answered = [at for at in self._answered_ns.values() if now_ns - at < self._election_max_ns // 2]
        if len(answered) + 1 >= self._quorum:
            message = (
                f"it gives up leading term {term}, though"
                f" {'a majority' if len(answered) < len(node.world.nodes) - 1 else 'everybody'} answered it"
                f" within the last {(now_ns - min(answered, default=now_ns)) / 1e6:.0f} ms"
            )
            self._watching.object("needless-step-down", message, now_ns, node.name)

    def _check_alone(self, since_ns: int) -> None:
        node, now_ns = self._node, self._node.loop.now_ns
        others = sorted(
            (self._heard_ns.get(peer, 0) for peer in node.world.nodes if peer != node.name), reverse=True
        )
        if self._quorum < 2 or self._complained:
            return
        alone_ns = now_ns - max(since_ns, others[self._quorum - 2])
        if alone_ns > self._alone_ns:
            self._complained = True
            message = f"it still leads, though no majority has been heard for {alone_ns / 1e9:.2f} s"
            self._watching.object("leads-alone", message, now_ns, node.name)

    def _read(self, boot: int) -> None:
        node = self._node
        replica = node.replica
        if replica is None or node.paused or node.boot != boot:
            return
        committed = self._watching.committed

        def done(outcome: ReadOutcome) -> None:
            if isinstance(outcome, ReadDone):
                self._watching.has_read(node.name, node.loop.now_ns, outcome.applied_index, committed)

        node.do(replica.read, _nothing, done)


def _nothing(machine: StateMachine, applied_index: int) -> None:
    """Only the index matters."""
