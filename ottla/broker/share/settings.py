"""What share groups need of the configuration: the group's own configs over the broker's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...coordinator.share_partition import SharePartitionSettings
from ...metadata.configs.group import GROUP
from ...metadata.configs.resolve import Levels, group_default
from ...metadata.image import MetadataImage, ResourceType

if TYPE_CHECKING:
    from ..config import BrokerConfig

_DURATION = re.compile(
    r"by_duration:P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
DLQ_TOPIC_NAME = "errors.deadletterqueue.topic.name"
DLQ_COPY_RECORD = "errors.deadletterqueue.copy.record.enable"


@dataclass(frozen=True, slots=True)
class ShareGroupSettings:
    """The effective settings of one share group."""

    partition: SharePartitionSettings
    #: "latest", "earliest", or "by_duration:…".
    auto_offset_reset: str
    read_committed: bool
    #: "" where the group has none.
    dead_letter_topic: str
    copies_dead_letters: bool


def share_group_settings(config: BrokerConfig, image: MetadataImage, group_id: str) -> ShareGroupSettings:
    """Read the settings of a group."""
    own = image.configs.get(ResourceType.GROUP, group_id)
    levels = config.levels_in(image)
    dead_letter_topic = _text(DLQ_TOPIC_NAME, own, levels)
    partition = SharePartitionSettings(
        delivery_count_limit=levels.integer("group.share.delivery.count.limit"),
        record_lock_duration_ms=int(_text("share.record.lock.duration.ms", own, levels)),
        max_record_locks=levels.integer("group.share.partition.max.record.locks"),
        dead_letters=bool(dead_letter_topic),
    )
    return ShareGroupSettings(
        partition,
        auto_offset_reset=_text("share.auto.offset.reset", own, levels),
        read_committed=_text("share.isolation.level", own, levels) == "read_committed",
        dead_letter_topic=dead_letter_topic,
        copies_dead_letters=_text(DLQ_COPY_RECORD, own, levels) == "true",
    )


def _text(name: str, own: Mapping[str, str], levels: Levels) -> str:
    text = own.get(name)
    return text if text is not None else group_default(GROUP[name], levels) or ""


def duration_ms(reset: str) -> int:
    """Read the duration of `by_duration:PnDTnHnMn.nS`."""
    match = _DURATION.fullmatch(reset)
    if match is None:
        raise ValueError(f"no duration: {reset}")
    seconds = 86400 * int(match["days"] or 0) + 3600 * int(match["hours"] or 0) + 60 * int(match["minutes"] or 0)
    return 1000 * seconds + int(1000 * float(match["seconds"] or 0))
