"""Client quotas become records and come back; what is refused is held against Apache Kafka in tests/differential."""

from __future__ import annotations

import math

import pytest

from ottla.controller.client_quotas import alter_client_quotas, describe_client_quotas
from ottla.metadata.image import MetadataImage
from ottla.protocol.apis import alter_client_quotas as alter
from ottla.protocol.apis.describe_client_quotas import DescribeClientQuotasRequest
from ottla.protocol.errors import ErrorCode


def change(image: MetadataImage, key: str, value: float | None, **names: str | None) -> tuple[int, MetadataImage]:
    entry = alter.EntryData(
        entity=[alter.EntityData(entity_type=kind.replace("_", "-"), entity_name=name) for kind, name in names.items()],
        ops=[alter.OpData(key=key, value=value or 0.0, remove=value is None)],
    )
    decision = alter_client_quotas(image, alter.AlterClientQuotasRequest(entries=[entry]), unresolvable=["nowhere"])
    return decision.response.entries[0].error_code, image.apply(decision.records)


def test_quotas_survive_a_snapshot_and_can_be_removed() -> None:
    _, image = change(MetadataImage.empty(), "producer_byte_rate", 5.0, user="u", client_id=None)
    again = MetadataImage.empty().apply(image.records())
    assert again.client_quotas == {(("client-id", None), ("user", "u")): {"producer_byte_rate": 5.0}}
    (entry,) = describe_client_quotas(again, DescribeClientQuotasRequest(components=[], strict=False))
    assert [(value.key, value.value) for value in entry.values] == [("producer_byte_rate", 5.0)]
    _, gone = change(again, "producer_byte_rate", None, user="u", client_id=None)
    assert gone.client_quotas == {}


@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0, 1.5, 1e300])
def test_what_is_no_rate_is_refused(value: float) -> None:
    code, image = change(MetadataImage.empty(), "producer_byte_rate", value, user="u")
    assert code == ErrorCode.INVALID_REQUEST
    assert image.client_quotas == {}


def test_an_address_must_exist() -> None:
    assert change(MetadataImage.empty(), "connection_creation_rate", 1.0, ip="nowhere")[0] == ErrorCode.INVALID_REQUEST
    assert change(MetadataImage.empty(), "connection_creation_rate", 1.0, ip="localhost")[0] == ErrorCode.NONE
