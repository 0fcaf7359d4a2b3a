"""Settings of the consumer. Names and defaults are Kafka's unless the sentence says otherwise."""

from __future__ import annotations

from .settings import Choice, Duration, Flag, Names, Number, Size, Text


class ConsumerSettings:
    """What only a Consumer reads."""

    group_id = Text("group.id", None, "The consumer group; `group=` of Consumer.")
    group_instance_id = Text(
        "group.instance.id", None, "Makes a static member: it keeps its partitions over a restart (KIP-345)."
    )
    group_protocol = Choice(
        "group.protocol",
        "auto",
        "consumer: the broker assigns (KIP-848); classic: a member does; auto (ours): consumer where the cluster has it "
        "and nothing asks for classic.",
        choices=("auto", "classic", "consumer"),
    )
    group_remote_assignor = Text(
        "group.remote.assignor", None, "The broker's assignor: uniform or range; its own choice if not set (KIP-848)."
    )
    partition_assignment_strategy = Names(
        "partition.assignment.strategy",
        ("range", "cooperative-sticky"),
        "Assignors of the classic protocol in order of preference: range, roundrobin, sticky, cooperative-sticky.",
    )
    session_timeout_ms = Duration(
        "session.timeout.ms", 45_000, "After how long without a heartbeat the group goes on without this member.", low=1
    )
    heartbeat_interval_ms = Duration("heartbeat.interval.ms", 3000, "How often the group is told we live.", low=1)
    max_poll_interval_ms = Duration(
        "max.poll.interval.ms",
        300_000,
        "How long a rebalance waits for what is in hand. A longer handler keeps its membership (Kafka: loses it) and "
        "only loses partitions that the group takes back.",
        low=1,
    )
    auto_offset_reset = Text(
        "auto.offset.reset",
        None,
        "Where a group without a committed offset begins: earliest, latest, none, by_duration:PT1H. Kafka's default is "
        "latest; ours is none that is silent: see `start=`.",
    )
    enable_auto_commit = Flag(
        "enable.auto.commit", True, "Whether what was processed is committed without being asked."
    )
    auto_commit_interval_ms = Duration("auto.commit.interval.ms", 5000, "How often it is committed.")
    isolation_level = Choice(
        "isolation.level",
        "read_committed",
        "read_committed leaves out records of open and aborted transactions (Kafka's default: read_uncommitted).",
        choices=("read_committed", "read_uncommitted"),
    )
    fetch_min_bytes = Size("fetch.min.bytes", 1, "How much a broker collects before it answers.", low=0)
    fetch_max_wait_ms = Duration(
        "fetch.max.wait.ms", 500, "How long it waits for fetch.min.bytes.", aliases=("fetch.wait.max.ms",)
    )
    fetch_max_bytes = Size("fetch.max.bytes", 52_428_800, "Largest answer to one Fetch.", low=1)
    max_partition_fetch_bytes = Size(
        "max.partition.fetch.bytes",
        4_194_304,
        "Largest part of an answer for one partition; a larger first batch comes whole (Kafka: 1 MiB; a larger answer "
        "costs less for each record).",
        aliases=("fetch.message.max.bytes",),
        low=1,
    )
    prefetch_bytes = Size(
        "prefetch.bytes",
        67_108_864,
        "How much may lie fetched and not yet processed before no more is fetched (ours).",
        aliases=("queued.max.bytes",),
        low=1,
    )
    max_decompressed_bytes = Size(
        "max.decompressed.bytes",
        33_554_432,
        "Largest batch once decompressed; a larger one is an error (ours).",
        low=1,
    )
    max_poll_records = Number(
        "max.poll.records", 500, "Most records of a batch where batches(max_records) is not given.", low=1
    )
    check_crcs = Flag("check.crcs", True, "Whether the checksum of every batch is compared.")
    allow_auto_create_topics = Flag(
        "allow.auto.create.topics", False, "Whether asking for a topic may make it (Kafka's default: true)."
    )
    exclude_internal_topics = Flag("exclude.internal.topics", True, "Whether a pattern leaves out internal topics.")
