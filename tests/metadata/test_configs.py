"""Values, bounds, and which of several places a value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.metadata.configs import document, resolve
from ottla.metadata.configs.broker import BROKER, DYNAMIC_ONLY, KAFKA, OTTLA, SYNONYMS
from ottla.metadata.configs.client_metrics import CLIENT_METRICS
from ottla.metadata.configs.definition import ConfigDefinition, ConfigSource
from ottla.metadata.configs.group import GROUP
from ottla.metadata.configs.resolve import Levels, Synonym, base_name
from ottla.metadata.configs.topic import SYNONYM_FACTORS, TOPIC
from ottla.metadata.configs.values import (
    BOOLEAN,
    DOUBLE,
    INT,
    LIST,
    LONG,
    SHORT,
    STRING,
    ConfigType,
    Value,
    did_you_mean,
    parse,
    show,
    to_string,
)
from ottla.protocol.errors import ErrorCode, KafkaError

EVERY_ROW = [*BROKER.values(), *TOPIC.values(), *GROUP.values(), *CLIENT_METRICS.values()]


@pytest.mark.parametrize(("text", "kind", "value"), [
    ("true", BOOLEAN, True), (" FALSE ", BOOLEAN, False), ("12", INT, 12), ("+12", INT, 12), (" -3 ", SHORT, -3),
    ("9223372036854775807", LONG, 2**63 - 1), ("0.5", DOUBLE, 0.5), ("1e3", DOUBLE, 1000.0), ("5d", DOUBLE, 5.0),
    ("a, b ,c", LIST, ["a", "b", "c"]), ("", LIST, []), (",", LIST, ["", ""]), (" x ", STRING, "x"),
])  # fmt: skip
def test_values_are_read_as_kafka_reads_them(text: str, kind: ConfigType, value: Value) -> None:
    assert parse("k", text, kind) == value


@pytest.mark.parametrize(("text", "kind"), [
    ("yes", BOOLEAN), ("1", BOOLEAN), ("", INT), ("1.0", INT), ("2147483648", INT), ("32768", SHORT), ("1_000", INT), ("٣", INT),
    ("9223372036854775808", LONG), ("x", DOUBLE), ("1_0", DOUBLE), ("", DOUBLE),
])  # fmt: skip
def test_bad_values_are_invalid_config(text: str, kind: ConfigType) -> None:
    with pytest.raises(KafkaError, match="Invalid value") as caught:
        parse("k", text, kind)
    assert caught.value.code is ErrorCode.INVALID_CONFIG


@pytest.mark.parametrize(("value", "text"), [
    (None, None), (True, "true"), (5, "5"), ([], ""), (["a", "b"], "a,b"), (0.5, "0.5"), (1.0, "1.0"), (0.0, "0.0"), (0.001, "0.001"),
    (1e7, "1.0E7"), (1234567.5, "1234567.5"), (12345678.5, "1.23456785E7"), (1e-4, "1.0E-4"), (0.00012345, "1.2345E-4"), (-1e10, "-1.0E10"),
    (1.7976931348623157e308, "1.7976931348623157E308"), (1e22, "1.0E22"), (123456789012.0, "1.23456789012E11"),
    (float("nan"), "NaN"), (float("-inf"), "-Infinity"),
])  # fmt: skip
def test_values_are_written_as_java_writes_them(value: Value, text: str | None) -> None:
    assert to_string(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_survives_its_string(value: float) -> None:
    assert float((to_string(value) or "").replace("E", "e")) == value


@given(st.text(), st.sampled_from(EVERY_ROW))
def test_any_text_is_a_value_or_invalid_config(text: str, row: ConfigDefinition) -> None:
    try:
        value = row.parse(text)
    except KafkaError as error:
        assert error.code is ErrorCode.INVALID_CONFIG
        return
    if not (isinstance(value, list) and any(item != item.strip() or "," in item for item in value)):
        assert row.parse(to_string(value)) == value or value != value


def test_error_texts_show_values_as_java_does() -> None:
    assert [show(v) for v in (None, ["a", "b"], False, 0.1, "x")] == ["null", "[a, b]", "false", "0.1", "x"]


def test_names_are_suggested_when_they_are_near() -> None:
    assert did_you_mean("log.retention.m", KAFKA) == " (did you mean 'log.retention.ms'?)"
    assert did_you_mean("LOG_RETENTION_MS", KAFKA) == " (did you mean 'log.retention.ms'?)"
    assert did_you_mean("something else", KAFKA) == ""


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.name)
def test_a_row_is_complete(row: ConfigDefinition) -> None:
    assert row.doc.endswith(".")
    assert row.doc[0].isupper()
    assert len(row.doc) < 260
    if row.default_string is not None and row.default != "" and row.name != "controller.quorum.voters":
        assert row.parse(row.default_string) == row.default


def test_synonyms_lead_to_broker_configs() -> None:
    assert {s for row in [*TOPIC.values(), *GROUP.values()] for s in row.synonyms} <= BROKER.keys()
    assert set(SYNONYM_FACTORS) <= BROKER.keys()
    assert not (KAFKA.keys() & (OTTLA.keys() | DYNAMIC_ONLY.keys()))
    assert all(name.startswith("ottla.") for name in OTTLA)


def entry(name: str, own: dict[str, str] | None = None, **levels: dict[str, str]) -> resolve.ConfigEntry:
    known = Levels(levels.get("static", {}), levels.get("default", {}), levels.get("broker", {}))
    return next(e for e in resolve.topic_entries(own or {}, known) if e.name == name)


def test_a_topic_config_comes_from_the_strongest_place() -> None:
    static, default, broker = {"log.retention.ms": "1"}, {"log.retention.ms": "2"}, {"log.retention.ms": "3"}
    assert entry("retention.ms")[1:3] == ("604800000", ConfigSource.DEFAULT)
    assert entry("retention.ms", static=static)[1:3] == ("1", ConfigSource.STATIC_BROKER)
    assert entry("retention.ms", static=static, default=default)[1:3] == ("2", ConfigSource.DYNAMIC_DEFAULT_BROKER)
    assert entry("retention.ms", static=static, default=default, broker=broker)[1:3] == (
        "3",
        ConfigSource.DYNAMIC_BROKER,
    )
    found = entry("retention.ms", {"retention.ms": "4"}, static=static, default=default, broker=broker)
    assert found[1:3] == ("4", ConfigSource.DYNAMIC_TOPIC)
    assert [s.value for s in found.synonyms] == ["4", "3", "2", "1", "168"]


@pytest.mark.parametrize(("static", "value"), [
    ({"log.retention.hours": "2"}, "7200000"), ({"log.retention.minutes": "2", "log.retention.hours": "9"}, "120000"),
    ({"log.retention.ms": "2", "log.retention.minutes": "3"}, "2"), ({"log.retention.hours": "-1"}, "-1"),
    ({"log.retention.ms": "-1", "log.retention.hours": "1"}, "-1"),
])  # fmt: skip
def test_retention_is_the_first_of_three_names(static: dict[str, str], value: str) -> None:
    assert entry("retention.ms", static=static).value == value


def test_flush_falls_back_on_the_scheduler_interval() -> None:
    assert entry("flush.ms", static={"log.flush.scheduler.interval.ms": "5"}).value == "5"


def test_typed_values_of_the_broker() -> None:
    levels = Levels({"log.roll.hours": "2", "num.partitions": " 3 "})
    assert [levels.value(n) for n in ("log.roll.ms", "log.roll.hours", "num.partitions", "log.dir")] == [
        7200000,
        2,
        3,
        ["/tmp/kafka-logs"],
    ]
    assert SYNONYMS["log.retention.hours"] == ("log.retention.ms", "log.retention.minutes", "log.retention.hours")


def test_a_secret_is_not_told() -> None:
    levels = Levels({"ssl.key.password": "secret"})
    found = next(e for e in resolve.broker_entries(levels) if e.name == "ssl.key.password")
    assert (found.value, found.sensitive, found.synonyms) == (
        None, True, (Synonym("ssl.key.password", None, ConfigSource.STATIC_BROKER),)
    )  # fmt: skip
    assert "hunter2" not in str(resolve.broker_entries(Levels({"some.unknown.key": "hunter2"})))


def test_a_listeners_key_has_its_base() -> None:
    assert base_name("listener.name.external.max.connections") == "max.connections"
    assert base_name("listener.name.external.plain.sasl.jaas.config") == "sasl.jaas.config"
    assert base_name("max.connections") == "max.connections"


def test_the_page_of_configs_is_fresh() -> None:
    """If this fails: python -m ottla.metadata.configs.document"""
    assert (Path(__file__).parents[2] / document.PAGE).read_text(encoding="utf-8") == document.page()
