"""Kafka's error codes as one table, and the exceptions of the protocol.

A row is: code, name, whether a client may simply try again, what went wrong in a sentence for people. Codes, names
and retriability are Kafka 4.2's (an oracle test compares them with the Java enum); the sentences are ours.

    ProtocolError
      ├── LocalProtocolError    we asked the codec for something the protocol cannot say: a bug on our side
      └── RemoteProtocolError   the peer's bytes are not what they claim to be
    KafkaError                  a condition with a code of its own, raised where it is found, answered as that code
"""

from __future__ import annotations

from enum import IntEnum

RETRIABLE, FATAL = True, False


class ErrorCode(IntEnum):
    """What a response says went wrong. `retriable` and `message` belong to the code."""

    retriable: bool
    message: str

    def __new__(cls, code: int, retriable: bool = FATAL, message: str = "") -> ErrorCode:
        """Make a member that is the number of its code."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.retriable = retriable
        member.message = message
        return member

    UNKNOWN_SERVER_ERROR = -1, FATAL, "The broker failed in a way it did not foresee."
    NONE = 0, FATAL, "No error."
    OFFSET_OUT_OF_RANGE = 1, FATAL, "The partition has no such offset: it is before its start or after its end."
    CORRUPT_MESSAGE = 2, RETRIABLE, "The batch is damaged: checksum, size, key or structure is wrong."
    UNKNOWN_TOPIC_OR_PARTITION = 3, RETRIABLE, "This broker has no such topic or partition."
    INVALID_FETCH_SIZE = 4, FATAL, "The number of bytes asked for makes no sense."
    LEADER_NOT_AVAILABLE = 5, RETRIABLE, "The partition has no leader at the moment."
    NOT_LEADER_OR_FOLLOWER = 6, RETRIABLE, "This broker does not lead the partition, or holds no replica of it."
    REQUEST_TIMED_OUT = 7, RETRIABLE, "The request was not finished within its time."
    BROKER_NOT_AVAILABLE = 8, FATAL, "The broker is not there."
    REPLICA_NOT_AVAILABLE = 9, RETRIABLE, "The replica asked for is not on this broker."
    MESSAGE_TOO_LARGE = 10, FATAL, "The batch is larger than max.message.bytes allows."
    STALE_CONTROLLER_EPOCH = 11, FATAL, "Another broker has become the controller since."
    OFFSET_METADATA_TOO_LARGE = 12, FATAL, "The text committed with an offset is too long."
    NETWORK_EXCEPTION = 13, RETRIABLE, "The connection ended before the response came."
    COORDINATOR_LOAD_IN_PROGRESS = 14, RETRIABLE, "The coordinator is still reading its state."
    COORDINATOR_NOT_AVAILABLE = 15, RETRIABLE, "No coordinator can be reached at the moment."
    NOT_COORDINATOR = 16, RETRIABLE, "This broker does not coordinate that group or transaction."
    INVALID_TOPIC_EXCEPTION = 17, FATAL, "The topic name is not allowed, or the topic may not be used this way."
    RECORD_LIST_TOO_LARGE = 18, FATAL, "The batch is larger than a log segment."
    NOT_ENOUGH_REPLICAS = (
        19,
        RETRIABLE,
        "Fewer replicas are in sync than min.insync.replicas asks; nothing was written.",
    )
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, RETRIABLE, "Written, but on fewer in-sync replicas than required."
    INVALID_REQUIRED_ACKS = 21, FATAL, "acks must be 0, 1 or -1 (all)."
    ILLEGAL_GENERATION = 22, FATAL, "The generation is not the group's present one."
    INCONSISTENT_GROUP_PROTOCOL = 23, FATAL, "The member shares no protocol with the group, or names none."
    INVALID_GROUP_ID = 24, FATAL, "The group id is not allowed."
    UNKNOWN_MEMBER_ID = 25, FATAL, "The group has no such member."
    INVALID_SESSION_TIMEOUT = 26, FATAL, "The session timeout is outside the broker's bounds."
    REBALANCE_IN_PROGRESS = 27, FATAL, "The group is rebalancing: join again."
    INVALID_COMMIT_OFFSET_SIZE = 28, FATAL, "The commit is too large to be stored."
    TOPIC_AUTHORIZATION_FAILED = 29, FATAL, "Not permitted on this topic."
    GROUP_AUTHORIZATION_FAILED = 30, FATAL, "Not permitted on this group."
    CLUSTER_AUTHORIZATION_FAILED = 31, FATAL, "Not permitted on the cluster."
    INVALID_TIMESTAMP = 32, FATAL, "A record's timestamp is too far from the broker's clock."
    UNSUPPORTED_SASL_MECHANISM = 33, FATAL, "The broker does not offer this SASL mechanism."
    ILLEGAL_SASL_STATE = 34, FATAL, "The request does not fit the state of the SASL exchange."
    UNSUPPORTED_VERSION = 35, FATAL, "The broker does not speak this version of the API."
    TOPIC_ALREADY_EXISTS = 36, FATAL, "There is a topic of this name already."
    INVALID_PARTITIONS = 37, FATAL, "The number of partitions is not possible."
    INVALID_REPLICATION_FACTOR = 38, FATAL, "The replication factor is below 1 or above the number of brokers."
    INVALID_REPLICA_ASSIGNMENT = 39, FATAL, "The assignment of replicas is not possible."
    INVALID_CONFIG = 40, FATAL, "A configuration key or value is not valid."
    NOT_CONTROLLER = 41, RETRIABLE, "This broker is not the controller."
    INVALID_REQUEST = 42, FATAL, "The request contradicts itself or the protocol."
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, FATAL, "The stored record format cannot do this."
    POLICY_VIOLATION = 44, FATAL, "A policy of the cluster forbids the request."
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, FATAL, "The producer's sequence number leaves a gap."
    DUPLICATE_SEQUENCE_NUMBER = 46, FATAL, "The producer's sequence number was used before."
    INVALID_PRODUCER_EPOCH = 47, FATAL, "The producer's epoch is older than the last one seen."
    INVALID_TXN_STATE = 48, FATAL, "The transaction is not in a state that allows this."
    INVALID_PRODUCER_ID_MAPPING = 49, FATAL, "The producer id does not belong to this transactional id."
    INVALID_TRANSACTION_TIMEOUT = 50, FATAL, "The transaction timeout is above transaction.max.timeout.ms."
    CONCURRENT_TRANSACTIONS = 51, RETRIABLE, "The transaction is busy with an earlier operation."
    TRANSACTION_COORDINATOR_FENCED = 52, FATAL, "The markers come from a coordinator that was replaced."
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, FATAL, "Not permitted on this transactional id."
    SECURITY_DISABLED = 54, FATAL, "Authorization is not switched on."
    OPERATION_NOT_ATTEMPTED = 55, FATAL, "Not tried, because another part of the request failed."
    KAFKA_STORAGE_ERROR = 56, RETRIABLE, "The disk that holds the log failed."
    LOG_DIR_NOT_FOUND = 57, FATAL, "The broker has no such log directory."
    SASL_AUTHENTICATION_FAILED = 58, FATAL, "The credentials were refused."
    UNKNOWN_PRODUCER_ID = 59, FATAL, "The broker remembers nothing of this producer id; its records may have expired."
    REASSIGNMENT_IN_PROGRESS = 60, FATAL, "The partition is being moved already."
    DELEGATION_TOKEN_AUTH_DISABLED = 61, FATAL, "Delegation tokens are not switched on."
    DELEGATION_TOKEN_NOT_FOUND = 62, FATAL, "There is no such delegation token."
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, FATAL, "The principal neither owns nor may renew the token."
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, FATAL, "Token requests need an authenticated channel that uses no token."
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, FATAL, "Not permitted on this delegation token."
    DELEGATION_TOKEN_EXPIRED = 66, FATAL, "The delegation token has expired."
    INVALID_PRINCIPAL_TYPE = 67, FATAL, "Principals of this type are not known."
    NON_EMPTY_GROUP = 68, FATAL, "The group still has members."
    GROUP_ID_NOT_FOUND = 69, FATAL, "There is no such group."
    FETCH_SESSION_ID_NOT_FOUND = 70, RETRIABLE, "The broker has no such fetch session."
    INVALID_FETCH_SESSION_EPOCH = 71, RETRIABLE, "The fetch session is at another epoch."
    LISTENER_NOT_FOUND = 72, RETRIABLE, "The leader has no listener of the name used here."
    TOPIC_DELETION_DISABLED = 73, FATAL, "delete.topic.enable is false."
    FENCED_LEADER_EPOCH = 74, RETRIABLE, "The leader epoch is older than the broker's."
    UNKNOWN_LEADER_EPOCH = 75, RETRIABLE, "The leader epoch is newer than the broker's."
    UNSUPPORTED_COMPRESSION_TYPE = (
        76,
        FATAL,
        "The partition's compression is unknown to the client, or to this version.",
    )
    STALE_BROKER_EPOCH = 77, FATAL, "The broker has registered again since."
    OFFSET_NOT_AVAILABLE = 78, RETRIABLE, "A new leader does not know its high watermark yet."
    MEMBER_ID_REQUIRED = 79, FATAL, "Join again with the member id given here."
    PREFERRED_LEADER_NOT_AVAILABLE = 80, RETRIABLE, "The preferred leader is not alive or not in sync."
    GROUP_MAX_SIZE_REACHED = 81, FATAL, "The group has as many members as group.max.size allows."
    FENCED_INSTANCE_ID = 82, FATAL, "Another member has taken over this group.instance.id."
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, RETRIABLE, "No replica may become the leader."
    ELECTION_NOT_NEEDED = 84, RETRIABLE, "The partition has the leader it should have."
    NO_REASSIGNMENT_IN_PROGRESS = 85, FATAL, "The partition is not being moved."
    GROUP_SUBSCRIBED_TO_TOPIC = 86, FATAL, "The group still consumes the topic whose offsets were to be deleted."
    INVALID_RECORD = 87, FATAL, "A record breaks a rule of its topic."
    UNSTABLE_OFFSET_COMMIT = 88, RETRIABLE, "A transaction that commits these offsets is still open."
    THROTTLING_QUOTA_EXCEEDED = 89, RETRIABLE, "The quota is used up for now."
    PRODUCER_FENCED = 90, FATAL, "A newer producer uses this transactional id."
    RESOURCE_NOT_FOUND = 91, FATAL, "The request names something that does not exist."
    DUPLICATE_RESOURCE = 92, FATAL, "The request names the same thing twice."
    UNACCEPTABLE_CREDENTIAL = 93, FATAL, "The credential does not meet the rules for credentials."
    INCONSISTENT_VOTER_SET = 94, FATAL, "Sender or receiver is not among the voters it should be."
    INVALID_UPDATE_VERSION = 95, FATAL, "The version to update to is not possible."
    FEATURE_UPDATE_FAILED = 96, FATAL, "The features could not be updated."
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, FATAL, "A forwarded request carries a principal that cannot be read."
    SNAPSHOT_NOT_FOUND = 98, FATAL, "There is no such snapshot."
    POSITION_OUT_OF_RANGE = 99, FATAL, "The position lies outside the snapshot."
    UNKNOWN_TOPIC_ID = 100, RETRIABLE, "This broker has no topic of this id."
    DUPLICATE_BROKER_REGISTRATION = 101, FATAL, "Another live broker has this id."
    BROKER_ID_NOT_REGISTERED = 102, FATAL, "No broker of this id has registered."
    INCONSISTENT_TOPIC_ID = 103, RETRIABLE, "The topic has another id than the request says."
    INCONSISTENT_CLUSTER_ID = 104, FATAL, "This is another cluster than the request says."
    TRANSACTIONAL_ID_NOT_FOUND = 105, FATAL, "There is no such transactional id."
    FETCH_SESSION_TOPIC_ID_ERROR = 106, RETRIABLE, "The fetch session mixes topic names and topic ids."
    INELIGIBLE_REPLICA = 107, FATAL, "A replica that may not be in sync was proposed for the ISR."
    NEW_LEADER_ELECTED = 108, FATAL, "The change was made, and the partition has another leader now."
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, FATAL, "The offset is in tiered storage only."
    FENCED_MEMBER_EPOCH = 110, FATAL, "The member was fenced: give up all partitions and join again."
    UNRELEASED_INSTANCE_ID = 111, FATAL, "The member that holds this instance id has not left."
    UNSUPPORTED_ASSIGNOR = 112, FATAL, "The group does not know this assignor."
    STALE_MEMBER_EPOCH = 113, FATAL, "The member's epoch is old: heartbeat, then try again."
    MISMATCHED_ENDPOINT_TYPE = 114, FATAL, "A broker request reached a controller, or the other way round."
    UNSUPPORTED_ENDPOINT_TYPE = 115, FATAL, "This type of endpoint is not supported."
    UNKNOWN_CONTROLLER_ID = 116, FATAL, "There is no controller of this id."
    UNKNOWN_SUBSCRIPTION_ID = 117, FATAL, "The telemetry subscription is unknown or has changed."
    TELEMETRY_TOO_LARGE = 118, FATAL, "The pushed telemetry is larger than the broker takes."
    INVALID_REGISTRATION = 119, FATAL, "The controller refuses this broker's registration."
    TRANSACTION_ABORTABLE = 120, FATAL, "The transaction cannot go on; abort it and start another."
    INVALID_RECORD_STATE = 121, FATAL, "The record cannot be acknowledged in the state it is in."
    SHARE_SESSION_NOT_FOUND = 122, RETRIABLE, "The broker has no such share session."
    INVALID_SHARE_SESSION_EPOCH = 123, RETRIABLE, "The share session is at another epoch."
    FENCED_STATE_EPOCH = 124, FATAL, "The share group's state has a newer epoch."
    INVALID_VOTER_KEY = 125, FATAL, "The voter key is not that of the receiver."
    DUPLICATE_VOTER = 126, FATAL, "The voter is in the voter set already."
    VOTER_NOT_FOUND = 127, FATAL, "The voter set has no such voter."
    INVALID_REGULAR_EXPRESSION = 128, FATAL, "The regular expression cannot be compiled."
    REBOOTSTRAP_REQUIRED = 129, FATAL, "The client's picture of the cluster is outdated: bootstrap again."
    STREAMS_INVALID_TOPOLOGY = 130, FATAL, "The streams topology is not valid."
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, FATAL, "The streams topology epoch is not valid."
    STREAMS_TOPOLOGY_FENCED = 132, FATAL, "The group runs a newer topology epoch."
    SHARE_SESSION_LIMIT_REACHED = 133, RETRIABLE, "The broker has no room for another share session."


#: Characters of a sentence that quotes what a client sent: as UTF-8 it still is a string of the protocol (32,767 bytes).
SENTENCE_CHARS_MAX = 8_000


def clipped(sentence: str) -> str:
    """Cut a sentence to what a response can carry."""
    return sentence if len(sentence) <= SENTENCE_CHARS_MAX else f"{sentence[: SENTENCE_CHARS_MAX - 1]}…"


class KafkaError(Exception):
    """A condition that has a code in the protocol; `str()` gives the sentence a person should read."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = code.message if message is None else clipped(message)

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


class ProtocolError(Exception):
    """Bytes and messages do not fit together."""


class LocalProtocolError(ProtocolError, ValueError):
    """Our side asked for something that the message's version cannot carry."""


class RemoteProtocolError(ProtocolError):
    """The peer's bytes are not a message of the kind they claim to be."""
