from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Command(_message.Message):
    __slots__ = ("client_id", "sequence")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    sequence: int
    def __init__(self, client_id: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class NotLeader(_message.Message):
    __slots__ = ("leader_id", "leader_address")
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    LEADER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    leader_id: str
    leader_address: str
    def __init__(self, leader_id: _Optional[str] = ..., leader_address: _Optional[str] = ...) -> None: ...

class OpenSessionRequest(_message.Message):
    __slots__ = ("cluster_id", "client_id")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    client_id: str
    def __init__(self, cluster_id: _Optional[str] = ..., client_id: _Optional[str] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

class AppendRequest(_message.Message):
    __slots__ = ("cluster_id", "command", "key", "value")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    command: Command
    key: str
    value: str
    def __init__(self, cluster_id: _Optional[str] = ..., command: _Optional[_Union[Command, _Mapping]] = ..., key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class AppendResponse(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

class PutRequest(_message.Message):
    __slots__ = ("cluster_id", "command", "key", "value")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    command: Command
    key: str
    value: str
    def __init__(self, cluster_id: _Optional[str] = ..., command: _Optional[_Union[Command, _Mapping]] = ..., key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class PutResponse(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

class CompareAndSetRequest(_message.Message):
    __slots__ = ("cluster_id", "command", "key", "expected", "value")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    command: Command
    key: str
    expected: str
    value: str
    def __init__(self, cluster_id: _Optional[str] = ..., command: _Optional[_Union[Command, _Mapping]] = ..., key: _Optional[str] = ..., expected: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class CompareAndSetResponse(_message.Message):
    __slots__ = ("index", "swapped")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SWAPPED_FIELD_NUMBER: _ClassVar[int]
    index: int
    swapped: bool
    def __init__(self, index: _Optional[int] = ..., swapped: _Optional[bool] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("cluster_id", "key")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    key: str
    def __init__(self, cluster_id: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class ReadResponse(_message.Message):
    __slots__ = ("applied_index", "items", "value")
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    applied_index: int
    items: _containers.RepeatedScalarFieldContainer[str]
    value: str
    def __init__(self, applied_index: _Optional[int] = ..., items: _Optional[_Iterable[str]] = ..., value: _Optional[str] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("cluster_id",)
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    def __init__(self, cluster_id: _Optional[str] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("node_id", "boot", "term", "role", "leader_id", "commit_index", "applied_index", "last_log_index")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    boot: int
    term: int
    role: str
    leader_id: str
    commit_index: int
    applied_index: int
    last_log_index: int
    def __init__(self, node_id: _Optional[str] = ..., boot: _Optional[int] = ..., term: _Optional[int] = ..., role: _Optional[str] = ..., leader_id: _Optional[str] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., last_log_index: _Optional[int] = ...) -> None: ...
