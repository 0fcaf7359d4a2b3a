"""Who may do what here: one table of what each API asks, and the authorizer that answers (`security/authorizer`).

    request ─► route ─► guard ─► handler          with an authorizer the route's function is the guard; without, the
                 │        └─ what is refused       handler itself: a broker without one asks nothing anywhere
                 └─ TABLE[api key]

A guard (folder `guards/`) asks before the handler runs, takes out of the request what is refused and puts the refusal
into the answer. Where the request does not tell what it is about (fetch sessions, topics that are made on the way), the
handler asks by `asking_of` (`guards/asking`). An API without a row in the table cannot be served: a broker with an authorizer would not
know what to ask.

`authorizer.class.name` switches it on. Super users may do everything; `allow.everyone.if.no.acl.found` decides about
resources without any rule. Rules are AccessControlEntryRecords of the metadata log and come with the image.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from ..security import acl
from ..security.authorizer import Authorizer
from ..security.principal import Principal
from .config import ConfigError
from .guards import admin, groups, offsets, share, topics, transactions, whole
from .guards.asking import Asking, audit

if TYPE_CHECKING:
    from ..metadata.image import MetadataImage
    from .config import BrokerConfig
    from .connection import Connection
    from .dispatch import Context, Entry, Handler

log = logging.getLogger("ottla.broker.authorization")

CLASS = "authorizer.class.name"
SUPER_USERS, ALLOW_EVERYONE = "super.users", "allow.everyone.if.no.acl.found"
#: What `authorizer.class.name` may be: Kafka's name of it, and ours.
CLASSES = ("org.apache.kafka.metadata.authorizer.StandardAuthorizer", "ottla")


class Need(NamedTuple):
    """An operation on a type of resource, and when it is asked for, if not always."""

    operation: int
    kind: int
    when: str = ""


class Asked(NamedTuple):
    """What an API asks. Without a guard its handler asks by itself, or `needs` is empty: then nothing is asked."""

    needs: tuple[Need, ...]
    guard: Any = None


def _on(kind: int, *operations: int, when: str = "") -> tuple[Need, ...]:
    return tuple(Need(operation, kind, when) for operation in operations)


_STATE = Asked(
    _on(acl.CLUSTER, acl.CLUSTER_ACTION), whole.on_cluster(acl.CLUSTER_ACTION, refuse=whole.refused_share_state)
)
_GROUP_READ = Asked(_on(acl.GROUP, acl.READ), whole.on_group(acl.READ))
_CLUSTER_ALTER = Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_with_text))
_VOTERS = Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_with_general_text))
_TELLS_OPERATIONS = "to be told what may be done to it"

#: API key -> what is asked.
TABLE: dict[int, Asked] = {
    0: Asked(
        _on(acl.TOPIC, acl.WRITE) + _on(acl.TRANSACTIONAL_ID, acl.WRITE, when="if a batch is transactional"),
        topics.produce,
    ),
    1: Asked(_on(acl.TOPIC, acl.READ) + _on(acl.CLUSTER, acl.CLUSTER_ACTION, when="instead, by a replica")),
    2: Asked(_on(acl.TOPIC, acl.DESCRIBE), topics.list_of_offsets),
    3: Asked(
        _on(acl.TOPIC, acl.DESCRIBE)
        + _on(acl.CLUSTER, acl.CREATE, when="to make a missing topic")
        + _on(acl.TOPIC, acl.CREATE, when="or this")
        + _on(acl.CLUSTER, acl.DESCRIBE, when=_TELLS_OPERATIONS),
        topics.describe_metadata,
    ),
    8: Asked(_on(acl.GROUP, acl.READ) + _on(acl.TOPIC, acl.READ), offsets.commit),
    9: Asked(_on(acl.GROUP, acl.DESCRIBE) + _on(acl.TOPIC, acl.DESCRIBE), offsets.fetch),
    10: Asked(
        _on(acl.GROUP, acl.DESCRIBE, when="of a group")
        + _on(acl.TRANSACTIONAL_ID, acl.DESCRIBE, when="of a transactional id")
        + _on(acl.CLUSTER, acl.CLUSTER_ACTION, when="of a share partition"),
        groups.coordinator,
    ),
    11: Asked(_on(acl.GROUP, acl.READ), whole.on_group(acl.READ, whole.refused_join)),
    12: _GROUP_READ,
    13: _GROUP_READ,
    14: Asked(_on(acl.GROUP, acl.READ), whole.sync_group),
    15: Asked(_on(acl.GROUP, acl.DESCRIBE), groups.describe_classic),
    16: Asked(
        _on(acl.CLUSTER, acl.DESCRIBE, when="to see all") + _on(acl.GROUP, acl.DESCRIBE, when="to see it"),
        groups.listing,
    ),
    17: Asked(()),
    18: Asked(()),
    19: Asked(
        _on(acl.CLUSTER, acl.CREATE)
        + _on(acl.TOPIC, acl.CREATE, when="or this")
        + _on(acl.TOPIC, acl.DESCRIBE_CONFIGS, when="to be told its configs"),
        admin.creation,
    ),
    20: Asked(
        _on(acl.CLUSTER, acl.DELETE)
        + _on(acl.TOPIC, acl.DELETE, when="or this")
        + _on(acl.TOPIC, acl.DESCRIBE, when="to be told whether it exists"),
        admin.deletion,
    ),
    21: Asked(_on(acl.TOPIC, acl.DELETE), topics.deletion_of_records),
    22: Asked(
        _on(acl.TRANSACTIONAL_ID, acl.WRITE, when="with a transactional id")
        + _on(acl.CLUSTER, acl.IDEMPOTENT_WRITE, when="without one")
        + _on(acl.TOPIC, acl.WRITE, when="or this, on any topic"),
        transactions.init_producer_id,
    ),
    23: Asked(_on(acl.CLUSTER, acl.CLUSTER_ACTION) + _on(acl.TOPIC, acl.DESCRIBE, when="or this"), topics.epochs),
    24: Asked(
        _on(acl.TRANSACTIONAL_ID, acl.WRITE)
        + _on(acl.TOPIC, acl.WRITE)
        + _on(acl.CLUSTER, acl.CLUSTER_ACTION, when="instead, by a broker (v4+)"),
        transactions.add_partitions,
    ),
    25: Asked(_on(acl.TRANSACTIONAL_ID, acl.WRITE) + _on(acl.GROUP, acl.READ), transactions.add_offsets),
    26: Asked(_on(acl.TRANSACTIONAL_ID, acl.WRITE), transactions.end),
    27: Asked(
        _on(acl.CLUSTER, acl.ALTER) + _on(acl.CLUSTER, acl.CLUSTER_ACTION, when="or this"),
        whole.on_cluster(acl.ALTER, acl.CLUSTER_ACTION, refuse=whole.refused_markers),
    ),
    28: Asked(
        _on(acl.TRANSACTIONAL_ID, acl.WRITE) + _on(acl.GROUP, acl.READ) + _on(acl.TOPIC, acl.READ),
        offsets.commit_in_transaction,
    ),
    29: Asked(_on(acl.CLUSTER, acl.DESCRIBE), whole.on_cluster(acl.DESCRIBE, refuse=whole.refused_with_text)),
    30: Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_create_acls)),
    31: Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_delete_acls)),
    32: Asked(
        _on(acl.TOPIC, acl.DESCRIBE_CONFIGS, when="of a topic")
        + _on(acl.GROUP, acl.DESCRIBE_CONFIGS, when="of a group")
        + _on(acl.CLUSTER, acl.DESCRIBE_CONFIGS, when="of anything else"),
        admin.description_of_configs,
    ),
    33: Asked(
        _on(acl.TOPIC, acl.ALTER_CONFIGS, when="of a topic")
        + _on(acl.GROUP, acl.ALTER_CONFIGS, when="of a group")
        + _on(acl.CLUSTER, acl.ALTER_CONFIGS, when="of anything else"),
        admin.alteration_of_configs,
    ),
    34: Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_log_dirs)),
    35: Asked(_on(acl.CLUSTER, acl.DESCRIBE), whole.on_cluster(acl.DESCRIBE)),
    36: Asked(()),
    37: Asked(_on(acl.TOPIC, acl.ALTER), admin.widening),
    38: Asked(_on(acl.USER, acl.CREATE_TOKENS, when="for another owner")),
    39: Asked(()),
    40: Asked(()),
    41: Asked(
        _on(acl.DELEGATION_TOKEN, acl.DESCRIBE, when="of other owners")
        + _on(acl.USER, acl.DESCRIBE_TOKENS, when="or this")
    ),
    42: Asked(_on(acl.GROUP, acl.DELETE), groups.deletion),
    43: Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_elections)),
    44: Asked(
        _on(acl.TOPIC, acl.ALTER_CONFIGS, when="of a topic")
        + _on(acl.GROUP, acl.ALTER_CONFIGS, when="of a group")
        + _on(acl.CLUSTER, acl.ALTER_CONFIGS, when="of anything else"),
        admin.change_of_configs,
    ),
    45: Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_reassignments)),
    46: Asked(
        _on(acl.CLUSTER, acl.DESCRIBE), whole.on_cluster(acl.DESCRIBE, refuse=whole.refused_list_of_reassignments)
    ),
    47: Asked(_on(acl.GROUP, acl.DELETE) + _on(acl.TOPIC, acl.READ), offsets.delete),
    48: Asked(
        _on(acl.CLUSTER, acl.DESCRIBE_CONFIGS),
        whole.on_cluster(acl.DESCRIBE_CONFIGS, refuse=whole.refused_quotas),
    ),
    49: Asked(
        _on(acl.CLUSTER, acl.ALTER_CONFIGS), whole.on_cluster(acl.ALTER_CONFIGS, refuse=whole.refused_alter_quotas)
    ),
    50: Asked(_on(acl.CLUSTER, acl.DESCRIBE), whole.on_cluster(acl.DESCRIBE, refuse=whole.refused_describe_scram)),
    51: Asked(_on(acl.CLUSTER, acl.ALTER), whole.on_cluster(acl.ALTER, refuse=whole.refused_alter_scram)),
    55: Asked(_on(acl.CLUSTER, acl.DESCRIBE), whole.on_cluster(acl.DESCRIBE, refuse=whole.refused_quorum)),
    57: _CLUSTER_ALTER,
    60: Asked(_on(acl.CLUSTER, acl.DESCRIBE, when=_TELLS_OPERATIONS), admin.description_of_cluster),
    61: Asked(_on(acl.TOPIC, acl.READ), topics.producers),
    64: _CLUSTER_ALTER,
    65: Asked(
        _on(acl.TRANSACTIONAL_ID, acl.DESCRIBE) + _on(acl.TOPIC, acl.DESCRIBE, when="to see its partitions"),
        transactions.describe,
    ),
    66: Asked(_on(acl.TRANSACTIONAL_ID, acl.DESCRIBE, when="to see it"), transactions.listing),
    68: Asked(
        _on(acl.GROUP, acl.READ) + _on(acl.TOPIC, acl.DESCRIBE, when="subscribed to by name"),
        groups.consumer_heartbeat,
    ),
    69: Asked(_on(acl.GROUP, acl.DESCRIBE) + _on(acl.TOPIC, acl.DESCRIBE), groups.describe_consumers),
    71: Asked(()),
    72: Asked(()),
    74: Asked(_on(acl.CLUSTER, acl.DESCRIBE_CONFIGS), whole.on_cluster(acl.DESCRIBE_CONFIGS)),
    75: Asked(_on(acl.TOPIC, acl.DESCRIBE)),
    76: Asked(_on(acl.GROUP, acl.READ) + _on(acl.TOPIC, acl.DESCRIBE), groups.share_heartbeat),
    77: Asked(_on(acl.GROUP, acl.DESCRIBE) + _on(acl.TOPIC, acl.DESCRIBE), groups.describe_shares),
    78: Asked(_on(acl.GROUP, acl.READ) + _on(acl.TOPIC, acl.READ), share.session),
    79: Asked(_on(acl.GROUP, acl.READ) + _on(acl.TOPIC, acl.READ), share.session),
    80: _VOTERS,
    81: _VOTERS,
    83: _STATE,
    84: _STATE,
    85: _STATE,
    86: _STATE,
    87: _STATE,
    88: Asked(
        _on(acl.GROUP, acl.READ)
        + _on(acl.TOPIC, acl.DESCRIBE)
        + _on(acl.CLUSTER, acl.CREATE, when="to make internal topics")
        + _on(acl.TOPIC, acl.CREATE, when="or this"),
        groups.streams_heartbeat,
    ),
    89: Asked(_on(acl.GROUP, acl.DESCRIBE) + _on(acl.TOPIC, acl.DESCRIBE), groups.describe_streams),
    90: Asked(_on(acl.GROUP, acl.DESCRIBE) + _on(acl.TOPIC, acl.DESCRIBE), share.describe_offsets),
    91: Asked(_on(acl.GROUP, acl.READ) + _on(acl.TOPIC, acl.READ), share.alter_offsets),
    92: Asked(_on(acl.GROUP, acl.DELETE) + _on(acl.TOPIC, acl.READ), share.delete_offsets),
}


class Authorization:
    """The authorizer of one broker, and how requests come to it."""

    def __init__(self, authorizer: Authorizer) -> None:
        self.authorizer = authorizer

    @classmethod
    def of(cls, config: BrokerConfig) -> Authorization | None:
        """Make the one that the configuration asks for; None if it asks for none."""
        name = (config.string(CLASS) or "").strip()
        if not name:
            return None
        if name not in CLASSES:
            raise ConfigError(f"{CLASS} is {name!r}; there is {' and, as another name for it, '.join(CLASSES)}")
        is_open = config.static.get(ALLOW_EVERYONE, "false").strip().lower() == "true"
        supers = []
        for word in config.static.get(SUPER_USERS, "").split(";"):
            if word.strip():
                try:
                    supers.append(str(Principal.parse(word.strip())))
                except ValueError as problem:
                    raise ConfigError(f"{SUPER_USERS}: {problem}") from problem
        return cls(Authorizer(supers, allow_if_no_acl=is_open))

    def apply(self, old: MetadataImage, image: MetadataImage) -> None:
        """Follow the rules of the metadata."""
        if old.acls is not image.acls:
            self.authorizer.update(image.acls)

    def guard(self, entry: Entry) -> Handler:
        """Return what answers an API's requests: its handler, or its guard before it."""
        guard = TABLE[entry.key].guard
        if guard is None:
            return entry.function
        name, function = entry.name, entry.function

        def guarded(context: Context, request: Any) -> Any:
            return guard(self.asking(context, name), context, request, function)

        return guarded

    def asking(self, context: Context, api: str) -> Asking:
        """Begin the questions of one request."""
        connection = context.connection
        return Asking(context, self.authorizer.access(connection.principal, connection.peer_host), api)

    def silently_may(self, connection: Connection, operation: int, kind: int, name: str) -> bool:
        """Whether a client may do something and nobody wants to read that it did: the hot path's question."""
        access = self.authorizer.access(connection.principal, connection.peer_host)
        return access.may(operation, kind, name) and not audit.isEnabledFor(logging.DEBUG)
