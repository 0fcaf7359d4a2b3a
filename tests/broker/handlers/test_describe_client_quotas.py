"""DescribeClientQuotas: what is told, in the order in which Apache Kafka tells it."""

from __future__ import annotations

from ottla.protocol.apis import alter_client_quotas as alter
from ottla.protocol.apis.describe_client_quotas import DescribeClientQuotasRequest
from tests.support.in_process import Client


async def test_entities_and_quotas_come_in_the_order_of_kafka(client: Client) -> None:
    """As Kafka 4.2.1 answers after the same three requests; @platformatic/kafka's tests compare whole answers."""
    rates = ["producer_byte_rate", "request_percentage", "controller_mutation_rate", "consumer_byte_rate"]
    for entity, keys in (
        ({"user": "u1", "client-id": "c1"}, rates),
        ({"client-id": "c9"}, rates[:2] + rates[3:]),
        ({"ip": "127.0.0.1"}, ["connection_creation_rate"]),
    ):
        await client.call(
            alter.AlterClientQuotasRequest(
                entries=[
                    alter.EntryData(
                        entity=[alter.EntityData(entity_type=kind, entity_name=name) for kind, name in entity.items()],
                        ops=[alter.OpData(key=key, value=1000.0, remove=False) for key in keys],
                    )
                ],
                validate_only=False,
            ),
            1,
        )
    answer = await client.call(DescribeClientQuotasRequest(components=[], strict=False), 1)
    assert [[part.entity_name for part in entry.entity] for entry in answer.entries] == [
        ["c1", "u1"],
        ["127.0.0.1"],
        ["c9"],
    ]
    first, _, last = ([value.key for value in entry.values] for entry in answer.entries)
    assert first == ["producer_byte_rate", "consumer_byte_rate", "controller_mutation_rate", "request_percentage"]
    assert last == ["consumer_byte_rate", "request_percentage", "producer_byte_rate"]
