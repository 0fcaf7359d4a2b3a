"""The published examples of the three libraries: how each is called, and what it must say.

Only their names and arguments stand here, and what to expect of them; the programs come from the libraries' own repositories
(`--source`) and are not copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field

B = "localhost:9092"  # what the examples say
S = "localhost:9094"  # the same broker, with SASL/PLAIN for the user "ex" (password "secret")
REGISTRY = "{registry}"  # stands for the address of a schema registry


@dataclass(frozen=True)
class Case:
    """An example, and how to judge it."""

    #: Below the repository of the library: a program, or `page.rst#2` for the third block of code in a page (from 0;
    #: `#1,2` for several as one program).
    path: str
    arguments: tuple[str, ...] = ()
    stdin: str = ""
    #: What must be said, each a regular expression, on stdout or stderr; an endless one goes on until all of it is.
    expect: tuple[str, ...] = ()
    #: What an endless one must say when it is interrupted.
    closing: tuple[str, ...] = ()
    #: Topics that are there before, with their partitions.
    topics: dict[str, int] = field(default_factory=dict)
    #: topic -> values that are there before.
    records: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: topic -> a value that is written again and again while it runs (for who reads from the end).
    feed: dict[str, str] = field(default_factory=dict)
    #: An endless one: it is interrupted when all has been said.
    endless: bool = False
    #: Its input stays open: it asks for more until it is interrupted.
    interactive: bool = False
    #: A share group that begins at the beginning.
    share_group: str = ""
    codes: tuple[int, ...] = (0,)
    #: Stands before a block of a page that is no whole program.
    preface: str = ""
    #: It needs something that is not there: why.
    skip: str = ""


def admin(operation: str, *arguments: str, expect: tuple[str, ...], **more: object) -> Case:
    return Case("examples/adminapi.py", (B, operation, *arguments), expect=expect, **more)  # type: ignore[arg-type]


_ACL = ("TOPIC", "acl-topic", "LITERAL", "User:u", "*", "WRITE", "ALLOW")
_ALICE = "alice\n1 Road\n7\nred\n"
_USER = ("name: alice", r"favorite_number: 7", "favorite_color: red")
_THREE = ("one", "two", "three")
_SHARE = {"feed": {"ex-share": "a job"}, "topics": {"ex-share": 1}, "endless": True}

CONFLUENT = [
    Case(
        "examples/producer.py", (B, "ex-producer"), stdin="one\ntwo\n", topics={"ex-producer": 1},
        expect=(r"Message delivered to ex-producer \[0\] @ 0", r"delivered to ex-producer \[0\] @ 1"),
    ),
    Case(
        "examples/consumer.py", (B, "ex-group", "ex-read"), records={"ex-read": _THREE}, endless=True,
        expect=(r"Assignment: \[TopicPartition\{topic=ex-read", r"ex-read \[0\] at offset 2", "b'three'"), closing=("Aborted by user",),
    ),
    Case(
        "examples/consumer.py", ("-T", "500", B, "ex-group2", "ex-read"), records={"ex-read": _THREE}, endless=True,
        expect=("KAFKA Stats:", "b'one'"), closing=("Aborted by user",),
    ),
    Case(
        "examples/get_watermark_offsets.py", (B, "ex-nobody", "ex-marks"), records={"ex-marks": _THREE},
        expect=(r"ex-marks \[0\] +- +3",),
    ),
    Case(
        "examples/context_manager_example.py", (B,),
        expect=(
            "'context-manager-example' created", r"delivered to context-manager-example \[0\] @ offset 4",
            "Consumed message: key=key-4, .*, offset=4", "All examples completed successfully",
        ),
    ),
    Case(
        "examples/asyncio_example.py", (B, "ex-aio"), topics={"ex-aio": 1}, endless=True,
        expect=(
            r"Produced to: ex-aio \[0\] @ 0", "Consumed: b'testvalue", "Stored offsets were committed"), closing=("Closed producer", "Closed consumer", "End of example"),
    ),
    Case(
        "examples/eos_transactions.py", ("-b", B, "-t", "ex-in", "-o", "ex-out", "-g", "ex-eos"),
        topics={"ex-out": 1}, records={"ex-in": _THREE},
        expect=("Reached the end of ex-in", "Reached end of input", "Committing final transaction with 3 messages"),
    ),
    Case("examples/adminapi_logger.py", (B,), expect=(r"\d+ consumer groups", "0 errors")),
    admin("create_topics", "ex-made", expect=("Topic ex-made created",)),
    admin("describe_topics", "1", "ex-d", topics={"ex-d": 1}, expect=("Topic name             : ex-d", "Leader            : ")),
    admin("describe_cluster", "1", expect=("Cluster_id", r"Node: \(\d+\) ", "Authorized operations: ")),
    admin("list", "all", topics={"ex-d": 1}, expect=("brokers:", '"ex-d" with 1 partition', "consumer groups")),
    admin("create_partitions", "ex-p", "5", topics={"ex-p": 2}, expect=("Additional partitions created for topic ex-p",)),
    admin("describe_configs", "TOPIC", "ex-d", topics={"ex-d": 1}, expect=("retention.ms = ", "ConfigSource.DEFAULT_CONFIG")),
    admin(
        "alter_configs", "TOPIC", "ex-c", "retention.ms=12345", topics={"ex-c": 1},
        expect=("configuration successfully altered",),
    ),
    admin(
        "delta_alter_configs", "TOPIC", "ex-c2", "retention.ms=54321", topics={"ex-c2": 1},
        expect=("Config for .*ex-c2.* updated",),
    ),
    admin(
        "incremental_alter_configs", "TOPIC", "ex-c3", "retention.ms=SET:999999;compression.type=SET:lz4",
        topics={"ex-c3": 1}, expect=("configuration successfully altered",),
    ),
    admin("create_acls", *_ACL, expect=(r"Created AclBinding\(ResourceType.TOPIC,acl-topic",)),
    admin("describe_acls", *_ACL, expect=(r"AclBinding\(ResourceType.TOPIC,acl-topic,.*AclOperation.WRITE",)),
    admin("delete_acls", *_ACL, expect=("Deleted acls matching filter", r"  AclBinding\(ResourceType.TOPIC,acl-topic")),
    admin("list_consumer_groups", expect=(r"\d+ consumer groups", "0 errors")),
    admin(
        "alter_consumer_group_offsets", "ex-offsets", "ex-read", "0", "2", records={"ex-read": _THREE},
        expect=(r"ex-read \[0\]: 2",),
    ),
    admin("list_consumer_group_offsets", "ex-offsets", "ex-read", "0", expect=(r"ex-read \[0\]: 2",)),
    admin("describe_consumer_groups", "1", "ex-offsets", expect=("Group Id: ex-offsets", "State +: ConsumerGroupState.EMPTY")),
    admin("delete_consumer_groups", "ex-offsets", expect=("Deleted group with id 'ex-offsets' successfully",)),
    admin(
        "alter_user_scram_credentials", "UPSERT", "ex-user", "SCRAM_SHA_256", "4096", "secret", "salt",
        expect=("ex-user: Success",),
    ),
    admin("describe_user_scram_credentials", "ex-user", expect=("ex-user", "SCRAM_SHA_256", "4096")),
    admin(
        "list_offsets", "READ_UNCOMMITTED", "ex-marks", "0", "LATEST", records={"ex-marks": _THREE},
        expect=("Topicname : ex-marks Partition_Index : 0 Offset : 3",),
    ),
    admin(
        "delete_records", "ex-gone", "0", "2", records={"ex-gone": _THREE},
        expect=("All records deleted before offset 2 in topic ex-gone partition 0",),
    ),
    admin("elect_leaders", "PREFERRED", "ex-d", "0", topics={"ex-d": 1}, expect=("ex-d",)),
    admin("delete_topics", "ex-made2", topics={"ex-made2": 1}, expect=("Topic ex-made2 deleted",)),
    Case("examples/share_consumer.py", (B, "ex-sg1", "ex-share"), expect=(r"ex-share \[0\] at offset", "b'a job'"), closing=("Aborted",), **_SHARE),  # type: ignore[arg-type]
    Case("examples/share_consumer_context_manager.py", (B, "ex-sg2", "ex-share"), expect=("a job",), **_SHARE),  # type: ignore[arg-type]
    Case(
        "examples/share_consumer_commit_async.py", (B, "ex-sg3", "ex-share"),
        expect=("b'a job'", r"Committed ex-share \[0\]: \[\d+"), **_SHARE,  # type: ignore[arg-type]
    ),
    Case("examples/share_consumer_commit_sync.py", (B, "ex-sg4", "ex-share"), expect=("b'a job'",), **_SHARE),  # type: ignore[arg-type]
    Case(
        "examples/sasl_producer.py", ("-b", S, "-t", "ex-sasl", "-m", "PLAIN", "-u", "ex", "-s", "secret"), topics={"ex-sasl": 1},
        stdin="a|b\n", interactive=True, expect=("Producing records",), endless=True, closing=(r"ex-sasl \[0\] at offset 0",),
    ),
    Case(
        "examples/avro_producer.py", ("-b", B, "-s", REGISTRY, "-t", "ex-avro"), stdin=_ALICE, interactive=True, expect=("Producing user records",), endless=True,
        topics={"ex-avro": 1}, closing=(r"successfully produced to ex-avro \[0\] at offset 0",),
    ),
    Case("examples/avro_consumer.py", ("-b", B, "-s", REGISTRY, "-t", "ex-avro"), expect=_USER, endless=True),
    Case(
        "examples/share_consumer_avro.py", ("-b", B, "-s", REGISTRY, "-t", "ex-avro", "-g", "ex-sg5"), share_group="ex-sg5",
        expect=("User record .*: name: alice, favorite_number: 7, favorite_color: red",), endless=True,
    ),
    Case(
        "examples/json_producer.py", ("-b", B, "-s", REGISTRY, "-t", "ex-json"), stdin=_ALICE, interactive=True, expect=("Producing user records",), endless=True,
        topics={"ex-json": 1}, closing=(r"successfully produced to ex-json \[0\] at offset 0",),
    ),
    Case("examples/json_consumer.py", ("-b", B, "-s", REGISTRY, "-t", "ex-json"), expect=_USER, endless=True),
    Case(
        "examples/protobuf_producer.py", ("-b", B, "-s", REGISTRY, "-t", "ex-proto"), stdin="alice\n7\nred\n",
        topics={"ex-proto": 1}, expect=(r"successfully produced to ex-proto \[0\] at offset 0",),
    ),
    Case("examples/protobuf_consumer.py", ("-b", B, "-s", REGISTRY, "-t", "ex-proto"), expect=_USER, endless=True),
    Case(
        "examples/asyncio_avro_producer.py", ("-b", B, "-s", REGISTRY, "-t", "ex-aavro"), topics={"ex-aavro": 1},
        expect=(r"Produced to ex-aavro \[0\] @ 0",),
    ),
    *(
        Case(f"examples/{kind}_{side}_encryption.py", skip="needs a key service")
        for kind in ("avro", "json", "protobuf") for side in ("producer", "consumer")
    ),
    Case("examples/confluent_cloud.py", skip="needs an account at Confluent Cloud"),
    *(
        Case(f"examples/{name}.py", skip="needs an identity provider")
        for name in (
            "oauth_producer", "oauth_oidc_ccloud_producer", "oauth_oidc_ccloud_aws_iam", "oauth_oidc_ccloud_azure_imds_producer",
            "oauth_schema_registry", "schema_registry_imds_azure",
        )
    ),
    Case("examples/fips/fips_producer.py", skip="needs a librdkafka that is built with a FIPS provider"),
    Case("examples/fips/fips_consumer.py", skip="needs a librdkafka that is built with a FIPS provider"),
]  # fmt: skip

_REST = "docs/examples/"
AIOKAFKA = [
    Case("examples/simple_produce.py", expect=(r"RecordMetadata\(topic='test-topic'",), topics={"test-topic": 1}, endless=True, codes=(1, -2, 130)),
    Case("examples/idempotent_produce.py", expect=(r"RecordMetadata\(topic='test-topic'",), topics={"test-topic": 1}, endless=True, codes=(1, -2, 130)),
    Case("examples/simple_consumer.py", expect=("b'news'",), feed={"my_topic": "news"}, topics={"my_topic": 1}, endless=True, codes=(1, -2, 130)),
    Case("examples/batch_produce.py", expect=(r"\d+ messages sent to partition \d",), topics={"my_topic": 1}),
    Case("examples/transactional_produce.py", stdin="\n", expect=("ValueError",), topics={"test-topic": 1}, codes=(1,)),
    Case(
        "examples/local_state_consumer.py", expect=("Assigned", r"Process TopicPartition\(topic='test', partition=0\)"),
        records={"test": _THREE}, endless=True, codes=(1, -2, 130),
    ),
    Case("examples/ssl_consume_produce.py", skip="needs certificates at its own paths"),
    Case(_REST + "batch_produce.rst#0", expect=("messages sent to partition",), topics={"my_topic": 1}),
    Case(_REST + "custom_partitioner.rst#0", expect=("'1' produced in partition: 9", "'3' produced in partition: 0"), topics={"foobar": 10}),
    Case(_REST + "serialize_and_compress.rst#0", topics={"foobar": 10}),
    Case(
        _REST + "serialize_and_compress.rst#1", topics={"foobar": 10}, codes=(0, 1),
        expect=("<class 'dict'>|JSONDecodeError",),
    ),
    Case(_REST + "group_consumer.rst#0", ("1", "hello"), topics={"some-topic": 2}),
    Case(_REST + "manual_commit.rst#0", records={"foobar": _THREE * 4}, topics={"foobar": 10}),
    Case(
        _REST + "transaction_example.rst#0", topics={"in_topic": 1, "out_topic": 1}, feed={"in_topic": "x"}, endless=True,
        codes=(1, -2, 130),
    ),
    Case(_REST + "group_consumer.rst#1", skip="calls its own function with arguments that it does not take"),
]  # fmt: skip

_READ = "from kafka import KafkaConsumer\n"
_WRITE = "from kafka import KafkaProducer\nproducer = KafkaProducer(bootstrap_servers='localhost:9092')\n"
_FAVORITE = (r"ConsumerRecord\(topic='my_favorite_topic'",)
_CUT = (1, -2, 130)
KAFKA_PYTHON = [
    Case("example.py", expect=(r"ConsumerRecord\(topic='my-topic', .*value=b'test'",)),
    Case("README.rst#0", expect=_FAVORITE, topics={"my_favorite_topic": 1}, feed={"my_favorite_topic": "a"}, endless=True, codes=_CUT),
    Case("README.rst#1", expect=_FAVORITE, topics={"my_favorite_topic": 1}, feed={"my_favorite_topic": "a"}, endless=True, codes=_CUT),
    Case("README.rst#2", topics={"foobar": 10}, feed={"foobar": "a"}),
    Case("README.rst#3", topics={"json-foo": 1}, feed={"json-foo": '{"a": 1}'}, endless=True, codes=_CUT),
    Case("README.rst#5", expect=(r"ConsumerRecord\(topic='txn_topic'",), topics={"txn_topic": 1}, feed={"txn_topic": "a"}, endless=True, codes=_CUT),
    Case("README.rst#6", preface=_READ + "consumer = KafkaConsumer()\n"),
    Case("README.rst#7,8,9,10", topics={"foobar": 10}),
    Case("README.rst#11,12", topics={"fizzbuzz": 1, "flipflap": 1}),
    Case("README.rst#13", preface=_WRITE, topics={"foobar": 10}),
    Case("README.rst#14", preface=_WRITE, topics={"txn_topic": 1}),
    Case("README.rst#15,16", preface=_WRITE, topics={"foobar": 10}),
]  # fmt: skip

LIBRARIES = {"confluent-kafka-python": CONFLUENT, "aiokafka": AIOKAFKA, "kafka-python": KAFKA_PYTHON}
