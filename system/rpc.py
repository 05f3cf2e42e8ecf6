"""What every gRPC end of the system shares: channel and server options, and the redirect to the leader."""

from __future__ import annotations

import os

# gRPC's own notes on stderr (a peer that went away, an occupied port) say nothing that our messages do not.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from google.protobuf.message import DecodeError

from system.pb import orchestrator_pb2

MAX_MESSAGE_BYTES = 8 * 1024 * 1024

# Recovery in well under a second after a cut; gRPC's defaults take 6 to 12 s.
_RECOVERY: tuple[tuple[str, int], ...] = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # This also bounds one connection attempt (default: 20 s), which takes two round trips: at 300 ms nodes
    # with 200 ms between them could not connect.
    ("grpc.min_reconnect_backoff_ms", 600),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.keepalive_time_ms", 500),
    ("grpc.keepalive_timeout_ms", 400),
    ("grpc.http2.ping_timeout_ms", 400),  # keepalive_timeout_ms alone never fires
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
)
_SIZES: tuple[tuple[str, int], ...] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    *_RECOVERY,
    *_SIZES,
    ("grpc.use_local_subchannel_pool", 1),  # every channel has its own connection, so links can be told apart
    ("grpc.enable_retries", 0),  # a retry behind our back would be an attempt nobody recorded
    ("grpc.enable_http_proxy", 0),  # nodes are dialled directly, whatever http_proxy says
)
SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    *_RECOVERY,
    *_SIZES,
    # With the default a second server binds an occupied port silently, and a zombie answers for a live node.
    ("grpc.so_reuseport", 0),
)

# Where FAILED_PRECONDITION carries a serialized orchestrator.v1.NotLeader, in the trailing metadata.
NOT_LEADER_KEY = "not-leader-bin"


def leader_hint(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    """(leader's id, its address as the refusing node dials it) from a FAILED_PRECONDITION; ("", "") where it
    names none."""
    metadata = error.trailing_metadata()
    value = metadata.get(NOT_LEADER_KEY) if metadata is not None else None
    if not isinstance(value, bytes):
        return "", ""
    try:
        hint = orchestrator_pb2.NotLeader.FromString(value)
    except DecodeError:
        return "", ""
    return hint.leader_id, hint.leader_address
