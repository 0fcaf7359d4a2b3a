"""Rows about the cluster: client quotas, features, elections, reassignments, the quorum, client telemetry."""

from __future__ import annotations

from typing import Any

from .rows_topics import create, topic
from .wire import Row

ELECT_LEADERS, ALTER_REASSIGNMENTS, LIST_REASSIGNMENTS, DESCRIBE_QUOTAS, ALTER_QUOTAS = 43, 45, 46, 48, 49
DESCRIBE_QUORUM, UPDATE_FEATURES, UNREGISTER_BROKER, ADD_VOTER, REMOVE_VOTER = 55, 57, 64, 80, 81
EXACT, DEFAULT, SPECIFIED = 0, 1, 2
UPGRADE, SAFE, UNSAFE = 1, 2, 3
NODE = 1

Names = dict[str, str | None]
Values = dict[str, float | None]


def quota(name: str, *entries: tuple[Names, Values | list[tuple[str, float]]], **options: Any) -> Row:
    """Set quotas of entities; a value of None removes one."""
    rows = [
        {
            "entity": [{"entity_type": kind, "entity_name": of} for kind, of in names.items()],
            "ops": [
                {"key": key, "value": value or 0.0, "remove": value is None}
                for key, value in (values.items() if isinstance(values, dict) else values)
            ],
        }
        for names, values in entries
    ]
    fields = {"entries": rows, "validate_only": options.pop("validate_only", False)}
    return Row(f"quota: {name}", ALTER_QUOTAS, fields, **options)


def quotas(name: str, *components: tuple[str, int, str | None], strict: bool = False, **options: Any) -> Row:
    rows = [{"entity_type": kind, "match_type": how, "match": match} for kind, how, match in components]
    return Row(f"quotas: {name}", DESCRIBE_QUOTAS, {"components": rows, "strict": strict}, **options)


BIG = 1e9
QUOTAS = [
    quotas("none at all"),
    quota("client", ({"client-id": "quota-c"}, {"producer_byte_rate": BIG, "consumer_byte_rate": BIG})),
    quota("the same again", ({"client-id": "quota-c"}, {"producer_byte_rate": BIG})),
    quota("user", ({"user": "quota-u"}, {"request_percentage": 250.5})),
    quota("user and client", ({"user": "quota-u", "client-id": "quota-c"}, {"controller_mutation_rate": 1e6})),
    quota("default user", ({"user": None}, {"producer_byte_rate": BIG})),
    quota("default client", ({"client-id": None}, {"producer_byte_rate": BIG})),
    quota("defaults of both", ({"user": None, "client-id": None}, {"consumer_byte_rate": BIG})),
    quota("address", ({"ip": "10.1.2.3"}, {"connection_creation_rate": 100.0})),
    quota("default address", ({"ip": None}, {"connection_creation_rate": 1e6})),
    quota("several", ({"user": "a"}, {"producer_byte_rate": BIG}), ({"user": "b"}, {"producer_byte_rate": BIG})),
    quota("right and wrong", ({"user": "c"}, {"producer_byte_rate": BIG}), ({"user": ""}, {"producer_byte_rate": BIG})),
    quota("nothing"),
    quota("no operations", ({"user": "d"}, {})),
    quota("no entity", ({}, {"producer_byte_rate": BIG})),
    quota("unknown type", ({"group": "x"}, {"producer_byte_rate": BIG})),
    quota("user and address", ({"user": "x", "ip": "10.0.0.1"}, {"producer_byte_rate": BIG})),
    quota("empty client id", ({"client-id": ""}, {"producer_byte_rate": BIG})),
    quota("no address", ({"ip": "no address at all"}, {"connection_creation_rate": 5.0})),
    quota("unknown key", ({"user": "x"}, {"no_such_rate": 1.0})),
    quota("key of an address", ({"user": "x"}, {"connection_creation_rate": 1.0})),
    quota("key of a user", ({"ip": "10.0.0.1"}, {"producer_byte_rate": 1.0})),
    quota("zero", ({"user": "x"}, [("producer_byte_rate", 0.0)])),
    quota("negative", ({"user": "x"}, {"producer_byte_rate": -1.0})),
    quota("fraction of bytes", ({"user": "x"}, {"producer_byte_rate": 1.5})),
    quota("fraction of connections", ({"ip": "10.0.0.1"}, {"connection_creation_rate": 1.5})),
    quota("more than a long", ({"user": "x"}, {"producer_byte_rate": 1e30})),
    quota("more than an int", ({"ip": "10.0.0.1"}, {"connection_creation_rate": 1e10})),
    quota("fraction of a percent", ({"user": "x"}, {"request_percentage": 99999.5})),
    quota("key twice", ({"user": "y"}, [("producer_byte_rate", BIG), ("producer_byte_rate", 2 * BIG)])),
    quota("entity twice", ({"user": "z"}, {"producer_byte_rate": BIG}), ({"user": "z"}, {"consumer_byte_rate": BIG})),
    quota(
        "entity of two twice",
        ({"user": "z", "client-id": "z"}, {"producer_byte_rate": BIG}),
        ({"client-id": "z", "user": "z"}, {"producer_byte_rate": BIG}),
    ),
    quota("validate only", ({"user": "v"}, {"producer_byte_rate": BIG}), validate_only=True),
    quota("validate only, wrong", ({"user": "v"}, {"producer_byte_rate": -2.0}), validate_only=True),
    quota("remove what is not set", ({"user": "nobody"}, {"producer_byte_rate": None})),
    quota("remove an unknown key", ({"user": "nobody"}, {"no_such_rate": None})),
    quota("remove one", ({"client-id": "quota-c"}, {"consumer_byte_rate": None})),
    quotas("all"),
    quotas("in order", ordered=True),
    quotas("all, strict", strict=True),
    quotas("user, by name", ("user", EXACT, "quota-u")),
    quotas("user, by name, strict", ("user", EXACT, "quota-u"), strict=True),
    quotas("user, default", ("user", DEFAULT, None)),
    quotas("user, any", ("user", SPECIFIED, None)),
    quotas("user, any, strict", ("user", SPECIFIED, None), strict=True),
    quotas("user and client", ("user", SPECIFIED, None), ("client-id", SPECIFIED, None)),
    quotas("user and default client", ("user", SPECIFIED, None), ("client-id", DEFAULT, None)),
    quotas("client, by name", ("client-id", EXACT, "quota-c")),
    quotas("addresses", ("ip", SPECIFIED, None)),
    quotas("of a client, in order", ("client-id", EXACT, "quota-c"), ordered=True),
    quotas("one address", ("ip", EXACT, "10.1.2.3")),
    quotas("nobody", ("user", EXACT, "nobody")),
    quotas("unknown type", ("group", SPECIFIED, None)),
    quotas("empty type", ("", SPECIFIED, None)),
    quotas("type twice", ("user", SPECIFIED, None), ("user", EXACT, "a")),
    quotas("exact without a name", ("user", EXACT, None)),
    quotas("default with a name", ("user", DEFAULT, "a")),
    quotas("any with a name", ("user", SPECIFIED, "a")),
    quotas("unknown match", ("user", 7, None)),
    quotas("address and user", ("user", SPECIFIED, None), ("ip", SPECIFIED, None)),
    quota(
        "remove", ({"user": None}, {"producer_byte_rate": None}), ({"client-id": None}, {"producer_byte_rate": None})
    ),
    quota("remove more", ({"user": None, "client-id": None}, {"consumer_byte_rate": None})),
    quota("remove addresses", ({"ip": None}, {"connection_creation_rate": None})),
    quotas("what is left"),
]


def elect(name: str, kind: int, partitions: dict[str, list[int]] | None, **options: Any) -> Row:
    rows = None
    if partitions is not None:
        rows = [{"topic": of, "partitions": indexes} for of, indexes in partitions.items()]
    return Row(f"elect: {name}", ELECT_LEADERS, {"election_type": kind, "topic_partitions": rows}, **options)


ELECTIONS = [
    elect("preferred", 0, {"one": [0]}),
    elect("unclean", 1, {"one": [0]}, versions="1+"),
    elect("everything", 0, None),
    elect("everything, unclean", 1, None, versions="1+"),
    elect("unknown topic", 0, {"never-was": [0]}),
    elect("unknown partition", 0, {"one": [99, -1]}),
    elect("unknown kind", 7, {"one": [0]}, versions="1+"),
    elect("unknown kind, everything", 7, None, versions="1+"),
    elect("nothing", 0, {}),
    elect("no partitions", 0, {"one": []}),
]


def move(name: str, replicas: dict[str, dict[int, list[int] | None]], **options: Any) -> Row:
    topics = [
        {"name": of, "partitions": [{"partition_index": i, "replicas": to} for i, to in partitions.items()]}
        for of, partitions in replicas.items()
    ]
    fields: dict[str, Any] = {"topics": topics}
    if "keep_factor" in options:
        fields["allow_replication_factor_change"] = not options.pop("keep_factor")
    return Row(f"move: {name}", ALTER_REASSIGNMENTS, fields, **options)


def moves(name: str, topics: dict[str, list[int]] | None) -> Row:
    rows = None
    if topics is not None:
        rows = [{"name": of, "partition_indexes": indexes} for of, indexes in topics.items()]
    return Row(f"moves: {name}", LIST_REASSIGNMENTS, {"topics": rows})


MOVES = [
    create("to move", topic("to-move"), versions="7"),
    move("to where it is", {"to-move": {0: [NODE]}}),
    move("to a broker that is not there", {"to-move": {0: [7]}}),
    move("to more brokers than there are", {"to-move": {0: [NODE, 2]}}),
    move("to one broker twice", {"to-move": {0: [NODE, NODE]}}),
    move("to nowhere", {"to-move": {0: []}}),
    move("unknown topic", {"never-was": {0: [NODE]}}),
    move("unknown partition", {"to-move": {9: [NODE], -1: [NODE]}}),
    move("cancel what is not moving", {"to-move": {0: None}}),
    move("keep the factor", {"to-move": {0: [NODE]}}, keep_factor=True, versions="1+"),
    move("nothing", {}),
    move("no partitions", {"to-move": {}}),
    moves("all", None),
    moves("some", {"to-move": [0]}),
    moves("unknown", {"never-was": [0], "to-move": [99]}),
    moves("nothing", {}),
]


def feature(name: str, *updates: tuple[str, int, int], **options: Any) -> Row:
    rows = [{"feature": of, "max_version_level": level, "upgrade_type": kind} for of, level, kind in updates]
    fields: dict[str, Any] = {"feature_updates": rows}
    if options.pop("validate_only", False):
        fields["validate_only"] = True
        options.setdefault("versions", "1+")
    return Row(f"feature: {name}", UPDATE_FEATURES, fields, **options)


FEATURES = [
    feature("nothing"),
    feature("as it is", ("metadata.version", 29, UPGRADE)),
    feature("unknown", ("no.such.feature", 1, UPGRADE)),
    feature("too high", ("metadata.version", 99, UPGRADE)),
    feature("too low", ("metadata.version", 3, SAFE), versions="1+"),
    feature("negative", ("metadata.version", -1, UPGRADE)),
    feature("down without saying so", ("metadata.version", 28, UPGRADE)),
    feature("down behind a change", ("metadata.version", 20, SAFE), versions="1+"),
    feature("down behind a change by force", ("metadata.version", 20, UNSAFE), versions="1+"),
    feature("up by a downgrade", ("metadata.version", 99, SAFE), versions="1+"),
    feature("unknown kind", ("metadata.version", 29, 7), versions="1+"),
    feature("kind 0", ("metadata.version", 29, 0), versions="1+"),
    feature("validate only", ("metadata.version", 28, SAFE), validate_only=True),
    feature("down and up", ("metadata.version", 28, SAFE), versions="1+"),
    feature("up again", ("metadata.version", 29, UPGRADE), versions="1+"),
    feature("right and wrong", ("metadata.version", 29, UPGRADE), ("no.such.feature", 1, UPGRADE)),
    feature("kraft.version as it is", ("kraft.version", 0, UPGRADE)),
    feature("kraft.version too high", ("kraft.version", 9, UPGRADE)),
]

QUORUM = [
    Row("quorum: metadata", DESCRIBE_QUORUM,
        {"topics": [{"topic_name": "__cluster_metadata", "partitions": [{"partition_index": 0}]}]}),
    Row("quorum: another partition", DESCRIBE_QUORUM,
        {"topics": [{"topic_name": "__cluster_metadata", "partitions": [{"partition_index": 1}]}]}),
    Row("quorum: another topic", DESCRIBE_QUORUM,
        {"topics": [{"topic_name": "one", "partitions": [{"partition_index": 0}]}]}),
    Row("quorum: nothing", DESCRIBE_QUORUM, {"topics": []}),
    Row("unregister: unknown broker", UNREGISTER_BROKER, {"broker_id": 77}),
    Row("unregister: negative broker", UNREGISTER_BROKER, {"broker_id": -1}),
    Row("voter: another cluster", ADD_VOTER, {"cluster_id": "another", "voter_id": 2, "voter_directory_id": b"\1" * 16}),
    Row("voter: no directory", ADD_VOTER, {"cluster_id": None, "voter_id": 2}),
    Row("voter: a good one", ADD_VOTER, {
        "cluster_id": None, "voter_id": 2, "voter_directory_id": b"\1" * 16,
        "listeners": [{"name": "CONTROLLER", "host": "127.0.0.1", "port": 9}]}),
    Row("voter: remove, another cluster", REMOVE_VOTER,
        {"cluster_id": "another", "voter_id": 2, "voter_directory_id": b"\1" * 16}),
    Row("voter: remove, no directory", REMOVE_VOTER, {"cluster_id": None, "voter_id": 2}),
    Row("voter: remove", REMOVE_VOTER, {"cluster_id": None, "voter_id": 2, "voter_directory_id": b"\1" * 16}),
]  # fmt: skip

ROWS = [*QUOTAS, *ELECTIONS, *MOVES, *FEATURES, *QUORUM]
