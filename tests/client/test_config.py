"""Settings: typed and dotted names mean the same, and a mistake is told at once."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from ottla.client.config import Config
from ottla.client.errors import ConfigError

ROOT = Path(__file__).parents[2]


def test_dotted_names_and_keywords_mean_the_same() -> None:
    dotted = Config.from_dict(
        {
            "bootstrap.servers": "a:1, b:2",
            "linger.ms": "20",
            "acks": -1,
            "enable.idempotence": "true",
            "batch.size": "64KiB",
        }
    )
    typed = Config(
        bootstrap=["a:1", "b:2"],
        linger_ms=timedelta(milliseconds=20),
        acks="all",
        enable_idempotence=True,
        batch_size=65536,
    )
    assert dotted == typed
    assert (dotted.linger_ms, dotted.batch_size, dotted.acks) == (20, 65536, "all")


@pytest.mark.parametrize(("text", "milliseconds"), [("10s", 10_000), ("1.5s", 1500), ("2m", 120_000), ("7", 7), (9, 9)])
def test_durations(text: str | int, milliseconds: int) -> None:
    assert Config(request_timeout_ms=text).request_timeout_ms == milliseconds


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no setting 'linger\.m': did you mean 'linger\.ms'"):
        Config.from_dict({"linger.m": 5})
    with pytest.raises(ConfigError, match="did you mean 'acks'"):
        Config(ack=1)


def test_a_wrong_value_names_setting_and_meaning() -> None:
    with pytest.raises(ConfigError, match=r"linger\.ms='soon': expected milliseconds.*How long a batch waits"):
        Config(linger_ms="soon")
    with pytest.raises(ConfigError, match="one of none, gzip"):
        Config(compression_type="brotli")


@pytest.mark.parametrize(
    "settings",
    [
        {"enable_idempotence": True, "acks": 1},
        {"transactional_id": "x", "enable_idempotence": False},
        {"transactional_id": "x", "max_in_flight_requests_per_connection": 6},
        {"delivery_timeout_ms": 10},
    ],
)
def test_contradictions_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Config(**settings)


def test_the_environment_and_names_of_librdkafka() -> None:
    config = Config.from_env(
        "KAFKA_", {"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SASL_MECHANISMS": "PLAIN", "OTHER": "x"}
    )
    assert (config.bootstrap_servers, config.sasl_mechanism) == (("a:1",), "PLAIN")
    with pytest.raises(ConfigError, match="did you mean"):
        Config.from_env("KAFKA_", {"KAFKA_BOOTSTRAP_SERVER": "a:1"})


def test_secrets_are_never_shown() -> None:
    config = Config("a:1", sasl_password="hunter2")
    assert "hunter2" not in repr(config)
    assert "hunter2" not in config.explain()


def test_a_config_does_not_change() -> None:
    config = Config("a:1")
    with pytest.raises(AttributeError, match="replace"):
        config.linger_ms = 5
    assert config.replace(linger_ms=7).linger_ms == 7
    assert config.linger_ms == 5


def test_types_and_page_are_those_of_the_tables() -> None:
    spec = importlib.util.spec_from_file_location("client_settings", ROOT / "tools" / "client_settings.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.TYPES.read_text() == tool.types(), "run: python tools/client_settings.py"
    assert tool.PAGE.read_text() == tool.page(), "run: python tools/client_settings.py"
