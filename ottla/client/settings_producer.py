"""Settings of the producer. Names and defaults are Kafka's unless the sentence says otherwise."""

from __future__ import annotations

from .settings import Choice, Duration, Flag, Instance, Number, Setting, Size, Text


class Acks(Setting["str | int", str]):
    """all (or -1), 1, 0."""

    def parse(self, value: object) -> str:
        text = str(value).strip().lower()
        if text in ("all", "-1"):
            return "all"
        if text in ("0", "1") and not isinstance(value, bool):
            return text
        raise self.wrong(value, "all, 1 or 0")


class ProducerSettings:
    """What only a Producer reads."""

    acks = Acks(
        "acks",
        "all",
        "Which replicas must have a record before it counts as delivered: all in sync, the leader (1), none (0).",
        aliases=("request.required.acks",),
    )
    enable_idempotence = Flag("enable.idempotence", True, "No duplicates and no reordering by retries; needs acks=all.")
    compression_type = Choice(
        "compression.type",
        "none",
        "How batches are compressed.",
        choices=("none", "gzip", "snappy", "lz4", "zstd"),
        aliases=("compression.codec",),
    )
    compression_gzip_level = Number("compression.gzip.level", -1, "1 to 9; -1 is gzip's own default.", low=-1, high=9)
    compression_lz4_level = Number("compression.lz4.level", 9, "1 to 17; 9 is lz4's fast mode.", low=1, high=17)
    compression_zstd_level = Number("compression.zstd.level", 3, "-131072 to 22.", low=-131072, high=22)
    linger_ms = Duration(
        "linger.ms",
        5,
        "How long a batch waits for more records before it is sent.",
        aliases=("queue.buffering.max.ms",),
    )
    batch_size = Size(
        "batch.size",
        512 << 10,
        "A batch is sent when it has so many bytes, before compression (Kafka: 16384; here memory is taken as records come).",
        low=1,
    )
    max_request_size = Size(
        "max.request.size", 1 << 20, "Largest request, and so largest record.", low=1000, aliases=("message.max.bytes",)
    )
    buffer_memory = Size(
        "buffer.memory",
        32 << 20,
        "Memory for records that are not delivered yet; when it is used up, `enqueue` and `send` wait.",
        low=16 << 10,
    )
    max_block_ms = Duration(
        "max.block.ms",
        60_000,
        "How long `send`, `enqueue` and the verbs of transactions wait for metadata, buffer room or the coordinator.",
    )
    delivery_timeout_ms = Duration(
        "delivery.timeout.ms",
        120_000,
        "From `send` to the end of all retries; then the record has failed.",
        low=1,
        aliases=("message.timeout.ms",),
    )
    retries = Number(
        "retries",
        2_147_483_647,
        "How often a batch is sent again; leave it and set delivery.timeout.ms.",
        aliases=("message.send.max.retries",),
    )
    max_in_flight_requests_per_connection = Number(
        "max.in.flight.requests.per.connection",
        5,
        "Requests on the way to one broker; at most 5 with idempotence, which keeps their order.",
        low=1,
        aliases=("max.in.flight",),
    )
    partitioner_class = Choice(
        "partitioner.class",
        "default",
        "default: by key as Java, and sticky without one; round_robin: in turn, whatever the key.",
        choices=("default", "round_robin"),
    )
    partitioner_ignore_keys = Flag(
        "partitioner.ignore.keys", False, "Whether the default partitioner treats all records as without key."
    )
    partitioner = Instance(
        "partitioner",
        None,
        "A function (topic, key bytes or None, number of partitions) -> partition.",
        check=callable,
        expected="a callable",
    )
    metadata_max_idle_ms = Duration(
        "metadata.max.idle.ms", 300_000, "A topic that nothing was sent to for so long is forgotten.", low=5000
    )
    transactional_id = Text(
        "transactional.id", None, "Makes the producer transactional; two of the same id fence each other."
    )
    transaction_timeout_ms = Duration(
        "transaction.timeout.ms", 60_000, "The broker aborts a transaction that is open for longer.", low=1
    )
