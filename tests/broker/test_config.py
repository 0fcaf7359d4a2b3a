"""Configuration from files, environment and --set: precedence, syntax, and messages that name what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.broker.config import DEFAULTS, RETIRED, BrokerConfig, ConfigError, Listener, read_properties
from ottla.metadata.configs.resolve import Levels
from ottla.metadata.image import MetadataImage, ResourceType
from ottla.protocol.stored.metadata import ConfigRecord
from ottla.records.header import TimestampType


def load(
    text: str = "", name: str = "server.properties", *, tmp_path: Path | None = None, **more: object
) -> BrokerConfig:
    if tmp_path is None:
        return BrokerConfig.load(None, more.get("environ"), more.get("sets", {}))  # type: ignore[arg-type]
    path = tmp_path / name
    path.write_text(text)
    return BrokerConfig.load(path, more.get("environ"), more.get("sets", {}))  # type: ignore[arg-type]


def sets(**values: str) -> BrokerConfig:
    return load(sets={key.replace("_", "."): value for key, value in values.items()})


def test_nothing_given_is_a_broker_on_loopback() -> None:
    config = load()
    assert (config.node_id, config.durability, config.rack) == (1, "auto", None)
    assert config.listeners == (Listener("PLAINTEXT", "127.0.0.1", 9092, "PLAINTEXT"),)
    assert config.advertised_listeners() == config.listeners
    assert config.log_dirs == (DEFAULTS["log.dirs"],)


def test_set_wins_over_the_environment_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    environ = {"OTTLA_NUM_PARTITIONS": "3", "KAFKA_NUM_PARTITIONS": "2", "KAFKA_LOG_RETENTION_MS": "2"}
    file = "num.partitions=1\nlog.retention.ms=1\nlog.segment.bytes=2000000\n"
    config = load(file, tmp_path=tmp_path, environ=environ, sets={"num.partitions": "4"})
    assert [config.integer(k) for k in ("num.partitions", "log.retention.ms", "log.segment.bytes")] == [4, 2, 2000000]
    assert load(file, tmp_path=tmp_path, environ=environ).integer("num.partitions") == 3


def test_a_server_properties_of_kafka_starts_a_broker(tmp_path: Path) -> None:
    config = load(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n"
        "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n"
        "advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\ncontroller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT\n"
        "num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\n"
        "socket.request.max.bytes=104857600\nlog.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\n"
        "num.recovery.threads.per.data.dir=2\noffsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n"
        "share.coordinator.state.topic.min.isr=1\ntransaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
        "log.retention.hours=168\nlog.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n",
        tmp_path=tmp_path,
    )
    assert config.listeners == (Listener("PLAINTEXT", "", 9092, "PLAINTEXT"),)
    assert config.advertised_listeners() == (Listener("PLAINTEXT", "localhost", 9092, "PLAINTEXT"),)
    assert config.log_dirs == ("/tmp/kraft-combined-logs",)


@pytest.mark.parametrize("key", sorted(RETIRED)[:3])
def test_keys_of_older_kafkas_are_let_pass(key: str) -> None:
    assert load(sets={key: "x"}).node_id == 1


def test_toml_may_be_dotted_or_nested(tmp_path: Path) -> None:
    text = 'node.id = 5\n"num.partitions" = 3\nlisteners = ["PLAINTEXT://127.0.0.1:1", "B://127.0.0.1:2"]\n'
    text += (
        'listener.security.protocol.map = "B:PLAINTEXT"\n[log.retention]\nms = 1000\n[delete.topic]\nenable = false\n'
    )
    config = load(text, "ottla.toml", tmp_path=tmp_path)
    assert (config.node_id, config.integer("num.partitions"), config.integer("log.retention.ms")) == (5, 3, 1000)
    assert [listener.name for listener in config.listeners] == ["PLAINTEXT", "B"]
    assert config.boolean("delete.topic.enable") is False


@pytest.mark.parametrize(("text", "pairs"), [
    ("a=b", {"a": "b"}), ("a = b ", {"a": "b "}), ("a:b", {"a": "b"}), ("a b", {"a": "b"}), ("a", {"a": ""}), ("a==b", {"a": "=b"}),
    ("# c\n! d\n\n  a=b", {"a": "b"}), ("a=b\\\n   c", {"a": "bc"}), ("a=b\\\\\nc=d", {"a": "b\\", "c": "d"}),
    ("a\\ b=c", {"a b": "c"}), ("a\\=b=c", {"a=b": "c"}), ("a=\\u0041\\t\\n\\x", {"a": "A\t\nx"}), ("a=1\na=2", {"a": "2"}),
    ("a=b\r\nc=d\r", {"a": "b", "c": "d"}), ("a=b\\", {"a": "b"}), ("#x\\\na=b", {"a": "b"}), ("=b", {"": "b"}),
    ("a=C:\\\\kafka\\\\data", {"a": "C:\\kafka\\data"}), ("a=ä", {"a": "ä"}),
])  # fmt: skip
def test_properties_are_read_as_java_reads_them(text: str, pairs: Mapping[str, str]) -> None:
    assert dict(read_properties(text)) == pairs


@given(st.text())
def test_any_text_is_properties(text: str) -> None:
    for key, value in read_properties(text):
        assert isinstance(key + value, str)


@pytest.mark.parametrize(("given_sets", "message"), [
    ({"log.retenton.hours": "1"}, r"--set: there is no config 'log.retenton.hours' \(did you mean 'log.retention.hours'\?\)"),
    ({"logRetentionHours": "1"}, r"no config 'logRetentionHours' \(did you mean 'log.retention.hours'\?\)"),
    ({"cleanup.policy": "compact"}, r"did you mean 'log.cleanup.policy'"),
    ({"flush.ms": "1"}, r"that is a topic config; its broker config is log.flush.interval.ms"),
    ({"max.connections.per.ip.overrides": "127.0.0.1:a"}, r'--set: max.connections.per.ip.overrides: For input string: "a"'),
    ({"max.connections.per.ip": "0"}, r"can be set to zero only if max.connections.per.ip.overrides property is set"),
    ({"xyzzy": "1"}, r"there is no config 'xyzzy'$"),
    ({"num.partitions": "many"}, r"--set: Invalid value many for configuration num.partitions: Not a number of type INT"),
    ({"num.partitions": "0"}, r"Value must be at least 1"),
    ({"ottla.durability": "maybe"}, r"String must be one of: auto, fsync, os"),
    ({"leader.replication.throttled.rate": "1"}, r"can only be set while the broker runs"),
    ({"listeners": "nonsense"}, r"'nonsense' is not of the form NAME://host:port"),
    ({"listeners": "PLAINTEXT://h:99999"}, r"port 99999, which is not between 0 and 65535"),
    ({"listeners": "MINE://h:1"}, r"listener MINE has no security protocol: add MINE:PLAINTEXT"),
    ({"listeners": "PLAINTEXT://a:1,PLAINTEXT://b:2"}, r"listeners names PLAINTEXT twice"),
    ({"listeners": ""}, r"must not be empty"),
    ({"listeners": "C://:1", "controller.listener.names": "C", "listener.security.protocol.map": "C:PLAINTEXT"}, r"no listener for clients"),
    ({"advertised.listeners": "SASL_SSL://h:1"}, r"advertised.listeners names SASL_SSL, which is not in listeners \(PLAINTEXT\)"),
    ({"advertised.listeners": "PLAINTEXT://0.0.0.0:1"}, r"nonroutable meta-address 0.0.0.0"),
    ({"node.id": "1", "broker.id": "2"}, r"node.id is 1 and broker.id is 2"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_the_next_step(given_sets: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(sets=given_sets)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nothing"):
        BrokerConfig.load(tmp_path / "nothing")
    (tmp_path / "bad.toml").write_text("= 1")
    with pytest.raises(ConfigError, match=r"bad.toml is not TOML.*line 1"):
        BrokerConfig.load(tmp_path / "bad.toml")
    (tmp_path / "latin").write_bytes(b"a=\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        BrokerConfig.load(tmp_path / "latin")
    (tmp_path / "wrong.properties").write_text("num.partitions=0")
    with pytest.raises(ConfigError, match=r"wrong.properties: Invalid value 0"):
        BrokerConfig.load(tmp_path / "wrong.properties")


def test_environment_names() -> None:
    environ = {
        "OTTLA_DURABILITY": "os", "OTTLA_LOG_RETENTION_MS": "5", "KAFKA_BROKER_RACK": "r", "OTTLA_NO_EXTENSIONS": "1",
        "KAFKA_HEAP_OPTS": "-Xmx1G", "KAFKA_PORT": "tcp://10.0.0.1:9092", "PATH": "/bin",
    }  # fmt: skip
    config = load(environ=environ)
    assert (config.durability, config.integer("log.retention.ms"), config.rack) == ("os", 5, "r")
    with pytest.raises(
        ConfigError, match=r"OTTLA_NUM_PARTITION stands for 'num.partition'.*did you mean 'num.partitions'"
    ):
        load(environ={"OTTLA_NUM_PARTITION": "1"})


def test_a_stronger_log_dir_wins_over_a_weaker_log_dirs(tmp_path: Path) -> None:
    assert load("log.dirs=/weak\n", tmp_path=tmp_path, sets={"log.dir": "/strong"}).log_dirs == ("/strong",)
    assert load("log.dir=/a\nlog.dirs=/b, /c\n", tmp_path=tmp_path).log_dirs == ("/b", "/c")


def test_broker_id_and_node_id_are_one() -> None:
    assert [sets(broker_id="7").node_id, sets(node_id="8").integer("broker.id"), sets(broker_id="-1").node_id] == [
        7,
        8,
        1,
    ]


def test_addresses_of_both_families() -> None:
    config = sets(listeners="PLAINTEXT://127.0.0.1:9092,PLAINTEXT://[::1]:9092")
    assert [str(x) for x in config.listeners] == ["PLAINTEXT://127.0.0.1:9092", "PLAINTEXT://[::1]:9092"]


def test_a_listener_on_all_addresses_is_advertised_by_name_and_on_the_bound_port() -> None:
    (listener,) = sets(listeners="PLAINTEXT://0.0.0.0:0").advertised_listeners({"PLAINTEXT": 4711})
    assert listener.port == 4711
    assert listener.host not in ("", "0.0.0.0")


def test_a_log_config_follows_topic_then_dynamic_then_static() -> None:
    config = sets(log_retention_hours="1", log_cleanup_policy="compact, delete")
    plain = config.log_config({})
    assert (plain.retention_ms, plain.cleanup_policy) == (3_600_000, {"compact", "delete"})
    assert config.log_config({}) is plain
    record = ConfigRecord(resource_type=ResourceType.BROKER, resource_name="", name="log.retention.ms", value="7")
    levels = config.levels_in(MetadataImage.empty().apply([record]))
    assert config.log_config({}, levels).retention_ms == 7
    own = {"retention.ms": "9", "message.timestamp.type": "LogAppendTime", "segment.bytes": "2000000"}
    topic = config.log_config(own, levels)
    assert (topic.retention_ms, topic.message_timestamp_type, topic.segment_bytes) == (
        9,
        TimestampType.LOG_APPEND_TIME,
        2000000,
    )
    assert config.log_config({"internal.segment.bytes": "99"}).segment_bytes == 99


def test_a_negative_retention_of_the_broker_is_for_ever() -> None:
    assert [sets(log_retention_hours=h).log_config({}).retention_ms for h in ("-1", "-7")] == [-1, -1]
    assert sets(log_retention_ms="5", log_retention_hours="-1").log_config({}).retention_ms == 5


def test_keys_of_a_listener_are_checked_by_their_base() -> None:
    assert load(sets={"listener.name.external.max.connections": "5"}).node_id == 1
    with pytest.raises(ConfigError, match="Not a number of type INT"):
        load(sets={"listener.name.external.max.connections": "x"})


def test_levels_without_dynamic_configs_are_the_static_ones() -> None:
    config = load()
    assert config.levels_in(MetadataImage.empty()) == Levels(config.static, {}, {})
