"""Layer 6 of the node: elections, with a pre-vote before each (Ongaro's thesis, 9.6)."""

from __future__ import annotations

from system.raft.messages import RequestVote, RequestVoteReply
from system.raft.reads import Reads
from system.raft.roles import Ballot, State


class Election(Reads):
    """A pre-vote asks whether an election could be won, and changes nothing on anyone; so a node that
    was cut off does not come back with a higher term and depose a leader that serves the others well."""

    # Elections this node stood in since it started; pre-votes do not count.
    elections: int = 0

    def start_pre_vote(self, now_ns: int) -> None:
        self.leader_id = None
        self.reset_election_timer(now_ns)
        self._open_ballot(self.current_term + 1, pre_vote=True)
        self._count_vote(now_ns, self.config.node_id)

    def start_election(self, now_ns: int) -> None:
        self.elections += 1
        self.reset_election_timer(now_ns)
        self.remember(self.current_term + 1, voted_for=self.config.node_id)
        self.change_state(State.CANDIDATE)
        # The own vote counts once it is durable: count_own_vote.
        self._open_ballot(self.current_term, pre_vote=False)

    def count_own_vote(self, now_ns: int) -> None:
        if self.ballot is not None and not self.ballot.pre_vote and self.durable_mark >= self.state_mark:
            self._count_vote(now_ns, self.config.node_id)

    def on_request_vote(self, now_ns: int, src: str, message: RequestVote) -> None:
        granted = self.may_vote(message) and self.log_is_up_to_date(message)
        if message.pre_vote:
            granted = granted and not self.hears_leader(now_ns)
        elif granted:
            if self.voted_for != message.candidate_id:
                self.remember(self.current_term, voted_for=message.candidate_id)
            self.reset_election_timer(now_ns)
        term = message.term if message.pre_vote and granted else self.current_term
        self.send(src, RequestVoteReply(term, granted, message.pre_vote))

    def may_vote(self, message: RequestVote) -> bool:
        """One vote a term, for good. A later term's vote is free."""
        if message.term != self.current_term:
            return message.term > self.current_term
        return self.voted_for in (None, message.candidate_id)

    def log_is_up_to_date(self, message: RequestVote) -> bool:
        """Whether the candidate's log is at least as up to date as ours: the later last term wins, at
        equal terms the longer log (5.4.1). So whoever wins holds every committed entry."""
        ours = (self.log.last_term, self.log.last_index)
        return (message.last_log_term, message.last_log_index) >= ours

    def hears_leader(self, now_ns: int) -> bool:
        """Whether a leader is at work as far as this node can tell; then no election is needed."""
        if self.state is State.LEADER:
            return True
        heard = self.heard_leader_ns
        return heard is not None and now_ns - heard < self.config.election_min_ns

    def on_request_vote_reply(self, now_ns: int, src: str, message: RequestVoteReply) -> None:
        ballot = self.ballot
        if (
            ballot is not None
            and (ballot.term, ballot.pre_vote) == (message.term, message.pre_vote)
            and message.vote_granted
        ):
            self._count_vote(now_ns, src)

    def _open_ballot(self, term: int, pre_vote: bool) -> None:
        self.ballot = Ballot(term, pre_vote, set())
        request = RequestVote(term, self.config.node_id, self.log.last_index, self.log.last_term, pre_vote)
        for peer in self.peers:
            self.send(peer, request)

    def _count_vote(self, now_ns: int, voter: str) -> None:
        ballot = self.ballot
        assert ballot is not None
        ballot.granted.add(voter)
        if len(ballot.granted) < self.quorum:
            return
        if ballot.pre_vote:
            self.start_election(now_ns)
        else:
            self.become_leader(now_ns)
