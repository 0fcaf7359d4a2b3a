"""Requests that ask for permission: at least one for every API that asks for any, harmless whatever the answer is.

What they are about is called `auth-…`, exists on both brokers in the same state, and stays so: changes are only validated,
or are about what does not exist. `{own}` becomes something that nobody else of the principals has.
"""

from __future__ import annotations

from typing import Any

from .batches import batch
from .wire import Row, learned

TOPIC, READ, MISSING, NEW = "auth-t", "auth-f", "auth-missing", "auth-new"
GROUP, TRANSACTIONAL_ID = "auth-g", "auth-x"
TOPICS = (TOPIC, READ, MISSING, NEW)
UNKNOWN_ID = b"\7" * 16
NO_MEMBER = "no-such-member"
BROKER_RESOURCE, LOGGER_RESOURCE, TOPIC_RESOURCE, GROUP_RESOURCE = 4, 8, 2, 32
_PRODUCER = {"producer_id": 123456, "producer_epoch": 0}


def _row(name: str, key: int, versions: str, /, **fields: Any) -> Row:
    return Row(name, key, fields, versions)


def _produce(name: str, versions: str, topics: list[dict[str, Any]], data: bytes, **fields: Any) -> Row:
    partitions = [{"index": 0, "records": data}]
    given = {"transactional_id": None, "acks": -1, "timeout_ms": 5000, **fields}
    return _row(name, 0, versions, topic_data=[{**topic, "partition_data": partitions} for topic in topics], **given)


def _by_id(*names: str) -> list[dict[str, Any]]:
    return [{"topic_id": learned(f"topic:{name}")} for name in names]


def _fetch(name: str, versions: str, topics: list[dict[str, Any]], **fields: Any) -> Row:
    partition = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 20, "current_leader_epoch": -1}
    given = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "session_epoch": -1, "replica_id": -1, **fields}
    return _row(name, 1, versions, topics=[{**topic, "partitions": [partition]} for topic in topics], **given)


_TRANSACTIONAL = batch(b"v", attributes=0x10, producer=(123456, 0, 0))
_OFFSETS = [{"partition_index": 0, "committed_offset": 1, "committed_metadata": ""}]

RECORDS = [
    _produce("produce", "11", [{"name": READ}, {"name": MISSING}], b""),
    _produce("produce by id", "13", [*_by_id(READ), {"topic_id": UNKNOWN_ID}], b""),
    _produce("produce, a transaction", "11", [{"name": MISSING}], _TRANSACTIONAL, transactional_id=TRANSACTIONAL_ID),
    _produce("produce, a transaction that is denied", "11", [{"name": READ}], _TRANSACTIONAL),
    _fetch("fetch", "4,12", [{"topic": READ}, {"topic": MISSING}]),
    _fetch("fetch by id", "17", [*_by_id(READ), {"topic_id": UNKNOWN_ID}]),
    _fetch("fetch as a replica", "12", [{"topic": MISSING}], replica_id=7),
    _row("offsets", 2, "0,1,8", replica_id=-1, isolation_level=0, topics=[
        {"name": name, "partitions": [{"partition_index": 0, "timestamp": -1, "max_num_offsets": 1}]} for name in (READ, MISSING)
    ]),
    _row("records, delete", 21, "2", timeout_ms=5000, topics=[
        {"name": name, "partitions": [{"partition_index": 0, "offset": 0}]} for name in (READ, MISSING)
    ]),
    _row("epochs", 23, "4", replica_id=-2, topics=[
        {"topic": name, "partitions": [{"partition": 0, "current_leader_epoch": -1, "leader_epoch": 0}]}
        for name in (READ, MISSING)
    ]),
    _row("producers", 61, "0", topics=[
        {"name": name, "partition_indexes": [0]} for name in (READ, MISSING, "not/a/name")
    ]),
]  # fmt: skip

_TELL = {"include_cluster_authorized_operations": True, "include_topic_authorized_operations": True}
METADATA = [
    _row("metadata, old", 3, "0,1", topics=[{"name": READ}]),
    _row("metadata", 3, "4,8,12", topics=[{"name": READ}, {"name": MISSING}], allow_auto_topic_creation=False, **_TELL),
    _row("metadata by id", 3, "12", topics=[{**each, "name": None} for each in [*_by_id(READ), {"topic_id": UNKNOWN_ID}]],
         allow_auto_topic_creation=False, **_TELL),
    _row("metadata that creates", 3, "4,12", topics=[{"name": "auth-not/a/name"}], allow_auto_topic_creation=True),
    _row("metadata, none", 3, "1,12", topics=[], allow_auto_topic_creation=False, **_TELL),
    _row("cluster", 60, "0,1", include_cluster_authorized_operations=True, endpoint_type=1),
    _row("topic partitions", 75, "0", topics=[{"name": READ}, {"name": MISSING}], response_partition_limit=100, cursor=None),
    _row("log dirs", 35, "1,4", topics=[{"topic": MISSING, "partitions": [0]}]),
    _row("quorum", 55, "0,2", topics=[{"topic_name": "another", "partitions": [{"partition_index": 0}]}]),
]  # fmt: skip

GROUPS = [
    _row("commit", 8, "2,8", group_id=GROUP, generation_id_or_member_epoch=-1, member_id="", topics=[
        {"name": name, "partitions": _OFFSETS} for name in (READ, MISSING)
    ]),
    _row("commit by id", 8, "10", group_id=GROUP, generation_id_or_member_epoch=-1, member_id="", topics=[
        {**each, "partitions": _OFFSETS} for each in [*_by_id(READ), {"topic_id": UNKNOWN_ID}]
    ]),
    _row("commits", 9, "1,7", group_id=GROUP, require_stable=False, topics=[
        {"name": name, "partition_indexes": [0]} for name in (READ, MISSING)
    ]),
    _row("commits of groups", 9, "8", require_stable=False, groups=[
        {"group_id": GROUP, "topics": [{"name": name, "partition_indexes": [0]} for name in (READ, MISSING)]},
        {"group_id": "other", "topics": [{"name": READ, "partition_indexes": [0]}]},
    ]),
    _row("commits by id", 9, "10", require_stable=False, groups=[
        {"group_id": GROUP, "topics": [{**each, "partition_indexes": [0]} for each in [*_by_id(READ), {"topic_id": UNKNOWN_ID}]]}
    ]),
    _row("all commits", 9, "7", group_id=GROUP, require_stable=False, topics=None),
    _row("all commits of a group", 9, "8,10", require_stable=False, groups=[{"group_id": GROUP, "topics": None}]),
    _row("commits, delete", 47, "0", group_id=GROUP, topics=[
        {"name": name, "partitions": [{"partition_index": 3}]} for name in (READ, MISSING)
    ]),
    _row("coordinator", 10, "0,3", key=GROUP, key_type=0),
    _row("coordinators", 10, "4", coordinator_keys=[GROUP, "other"], key_type=0),
    _row("coordinator of a transaction", 10, "3", key=TRANSACTIONAL_ID, key_type=1),
    _row("coordinator of a share partition", 10, "6", coordinator_keys=["not one"], key_type=2),
    _row("join", 11, "5,9", group_id=GROUP, session_timeout_ms=10000, rebalance_timeout_ms=10000, member_id=NO_MEMBER,
         protocol_type="consumer", protocols=[{"name": "range", "metadata": b""}]),
    _row("heartbeat", 12, "4", group_id=GROUP, generation_id=1, member_id=NO_MEMBER),
    _row("leave", 13, "2,5", group_id=GROUP, member_id=NO_MEMBER, members=[{"member_id": NO_MEMBER}]),
    _row("sync", 14, "3,5", group_id=GROUP, generation_id=1, member_id=NO_MEMBER, protocol_type="consumer",
         protocol_name="range", assignments=[]),
    _row("sync without a protocol", 14, "5", group_id=GROUP, generation_id=1, member_id=NO_MEMBER, assignments=[]),
    _row("group", 15, "0,6", groups=[GROUP, "other"], include_authorized_operations=True),
    _row("groups", 16, "0,5", states_filter=[], types_filter=[]),
    _row("group, delete", 42, "2", groups_names=["auth-no-group", "other"]),
    _row("consumer heartbeat", 68, "1", group_id=GROUP, member_id=NO_MEMBER, member_epoch=3),
    _row("consumer heartbeat, topics", 68, "1", group_id="auth-c", member_id=NO_MEMBER, member_epoch=3,
         subscribed_topic_names=[READ, MISSING]),
    _row("consumer group", 69, "1", group_ids=[GROUP, "other"], include_authorized_operations=True),
    _row("share heartbeat", 76, "1", group_id="auth-s", member_id=NO_MEMBER, member_epoch=3),
    _row("share heartbeat, topics", 76, "1", group_id="auth-s", member_id=NO_MEMBER, member_epoch=3,
         subscribed_topic_names=[READ, MISSING]),
    _row("share group", 77, "1", group_ids=["auth-s", "other"], include_authorized_operations=True),
    _row("share fetch", 78, "1", group_id="auth-s", member_id=NO_MEMBER, share_session_epoch=3, topics=[]),
    _row("share acknowledge", 79, "1", group_id="auth-s", member_id=NO_MEMBER, share_session_epoch=3, topics=[]),
    _row("streams heartbeat", 88, "0", group_id="auth-st", member_id=NO_MEMBER, member_epoch=3, endpoint_information_epoch=0),
    _row("streams heartbeat, topics", 88, "0", group_id="auth-st", member_id=NO_MEMBER, member_epoch=0, endpoint_information_epoch=0,
         rebalance_timeout_ms=-1, process_id="p", active_tasks=[], standby_tasks=[], warmup_tasks=[],
         topology={"epoch": 0, "subtopologies": [{
             "subtopology_id": "0", "source_topics": [READ, MISSING], "source_topic_regex": [],
             "state_changelog_topics": [], "repartition_sink_topics": [], "repartition_source_topics": [], "copartition_groups": [],
         }]}),
    _row("streams group", 89, "0", group_ids=["auth-st", "other"], include_authorized_operations=True),
    _row("share offsets", 90, "1", groups=[{"group_id": "auth-s", "topics": [{"topic_name": READ, "partitions": [0]}]},
                                           {"group_id": "other", "topics": []}]),
    _row("all share offsets", 90, "1", groups=[{"group_id": "auth-s", "topics": None}]),
    _row("share offsets, alter", 91, "0", group_id="auth-s", topics=[
        {"topic_name": MISSING, "partitions": [{"partition_index": 0, "start_offset": 0}]}
    ]),
    _row("share offsets, delete", 92, "0", group_id="auth-s", topics=[{"topic_name": MISSING}]),
]  # fmt: skip

_STATE = {"group_id": "auth-s", "topics": [{"topic_id": UNKNOWN_ID, "partitions": [{"partition": 0}]}]}
TRANSACTIONS = [
    _row("producer id", 22, "1,4", transactional_id=None, transaction_timeout_ms=60000),
    _row("producer id of a transaction", 22, "1,4", transactional_id=TRANSACTIONAL_ID, transaction_timeout_ms=-1),
    _row("add partitions", 24, "3", v3_and_below_transactional_id=TRANSACTIONAL_ID,
         v3_and_below_producer_id=123456, v3_and_below_producer_epoch=0, v3_and_below_topics=[
             {"name": READ, "partitions": [0]}, {"name": MISSING, "partitions": [0]}, {"name": TOPIC, "partitions": [0, 9]},
         ]),
    _row("add partitions as a broker", 24, "4,5", transactions=[
        {"transactional_id": TRANSACTIONAL_ID, **_PRODUCER, "verify_only": True, "topics": [{"name": MISSING, "partitions": [0]}]}
    ]),
    _row("add offsets", 25, "3", transactional_id=TRANSACTIONAL_ID, group_id=GROUP, **_PRODUCER),
    _row("end", 26, "3,5", transactional_id=TRANSACTIONAL_ID, committed=True, **_PRODUCER),
    _row("markers", 27, "1", markers=[
        {**_PRODUCER, "transaction_result": True, "coordinator_epoch": 0,
         "topics": [{"name": MISSING, "partition_indexes": [0]}]}
    ]),
    _row("commit in a transaction", 28, "3", transactional_id=TRANSACTIONAL_ID, group_id=GROUP, member_id="",
         generation_id=-1, topics=[{"name": MISSING, "partitions": _OFFSETS}], **_PRODUCER),
    _row("transaction", 65, "0", transactional_ids=[TRANSACTIONAL_ID, "other"]),
    _row("transactions", 66, "0,1", state_filters=[], producer_id_filters=[], duration_filter=-1),
    *[_row(f"share state {key}", key, "0", **_STATE) for key in (83, 84, 85, 86, 87)],
]  # fmt: skip


def _config(kind: int, name: str, key: str, value: str) -> dict[str, Any]:
    return {"resource_type": kind, "resource_name": name, "configs": [{"name": key, "value": value}]}


def _changed(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "configs": [{**each, "config_operation": 0} for each in config["configs"]]}


_CONFIGS = [
    _config(TOPIC_RESOURCE, READ, "retention.ms", "1000"),
    _config(TOPIC_RESOURCE, MISSING, "retention.ms", "1000"),
    _config(GROUP_RESOURCE, GROUP, "consumer.session.timeout.ms", "50000"),
    _config(BROKER_RESOURCE, "1", "log.cleaner.threads", "1"),
]
_ANY = {
    "resource_type_filter": 2, "resource_name_filter": "nobody's", "pattern_type_filter": 3, "principal_filter": None,
    "host_filter": None, "operation": 1, "permission_type": 1,
}  # fmt: skip
_BAD_RULE = {
    "resource_type": 4, "resource_name": "another", "resource_pattern_type": 3, "principal": "User:x", "host": "*",
    "operation": 3, "permission_type": 3,
}  # fmt: skip
ADMIN = [
    _row("create", 19, "2,7", timeout_ms=5000, validate_only=True, topics=[
        {"name": name, "num_partitions": 1, "replication_factor": 1, "assignments": [], "configs": []} for name in (NEW, READ)
    ]),
    _row("delete", 20, "3,5", topic_names=[MISSING], timeout_ms=5000),
    _row("delete by id", 20, "6", timeout_ms=5000, topics=[
        {"name": MISSING}, {"name": None, "topic_id": UNKNOWN_ID}, {"name": "twice"}, {"name": "twice"}
    ]),
    _row("delete own", 20, "6", timeout_ms=5000, topics=[{"name": "auth-own-{own}"}]),
    _row("widen", 37, "3", timeout_ms=5000, validate_only=True, topics=[
        {"name": name, "count": 1, "assignments": None} for name in (READ, MISSING)
    ]),
    _row("configs", 32, "1,4", include_synonyms=False, include_documentation=False, resources=[
        {"resource_type": kind, "resource_name": name, "configuration_keys": [key]} for kind, name, key in (
            (TOPIC_RESOURCE, READ, "retention.ms"), (TOPIC_RESOURCE, MISSING, "retention.ms"),
            (GROUP_RESOURCE, GROUP, "consumer.session.timeout.ms"), (BROKER_RESOURCE, "1", "log.cleaner.threads"),
        )
    ]),
    _row("configs of the authorizer", 32, "4", include_synonyms=True, include_documentation=False, resources=[
        {"resource_type": BROKER_RESOURCE, "resource_name": "1", "configuration_keys": [
            "authorizer.class.name", "super.users", "allow.everyone.if.no.acl.found", "no.such.key"]}
    ]),
    _row("configs, a type that is none", 32, "4", resources=[{"resource_type": 99, "resource_name": "x", "configuration_keys": None}]),
    _row("configs, replace", 33, "2", validate_only=True, resources=_CONFIGS),
    _row("configs, change", 44, "1", validate_only=True, resources=[_changed(each) for each in _CONFIGS]),
    _row("loggers, change", 44, "1", validate_only=True, resources=[_changed(_config(LOGGER_RESOURCE, "1", "root", "INFO"))]),
    _row("config resources", 74, "1", resource_types=[BROKER_RESOURCE]),
    _row("log dirs, move", 34, "2", dirs=[{"path": "/nowhere", "topics": [{"name": MISSING, "partitions": [0]}]}]),
    _row("elect", 43, "0,2", election_type=0, timeout_ms=5000, topic_partitions=[{"topic": READ, "partitions": [0]}]),
    _row("reassign", 45, "0", timeout_ms=5000, topics=[
        {"name": MISSING, "partitions": [{"partition_index": 0, "replicas": [1]}]}
    ]),
    _row("reassignments", 46, "0", timeout_ms=5000, topics=[{"name": MISSING, "partition_indexes": [0]}]),
    _row("quotas", 48, "1", components=[{"entity_type": "user", "match_type": 0, "match": "nobody"}], strict=False),
    _row("quotas, alter", 49, "1", validate_only=True, entries=[
        {"entity": [{"entity_type": "user", "entity_name": "x"}], "ops": [{"key": "producer_byte_rate", "value": 1.0, "remove": False}]}
    ]),
    _row("credentials", 50, "0", users=[{"name": "nobody"}]),
    _row("credentials, alter", 51, "0", deletions=[{"name": "nobody", "mechanism": 1}], upsertions=[]),
    _row("features", 57, "1", timeout_ms=5000, validate_only=True, feature_updates=[
        {"feature": "no.such.feature", "max_version_level": 1, "upgrade_type": 1}
    ]),
    _row("unregister", 64, "0", broker_id=77),
    _row("voter, add", 80, "0", cluster_id=None, voter_id=2, voter_directory_id=b"\1" * 16,
         listeners=[{"name": "CONTROLLER", "host": "localhost", "port": 9093}]),
    _row("voter, remove", 81, "0", cluster_id=None, voter_id=2, voter_directory_id=b"\1" * 16),
    _row("acls", 29, "1,3", **_ANY),
    _row("acls, create", 30, "3", creations=[_BAD_RULE]),
    _row("acls, delete", 31, "3", filters=[_ANY]),
]  # fmt: skip

ROWS = [*RECORDS, *METADATA, *GROUPS, *TRANSACTIONS, *ADMIN]
