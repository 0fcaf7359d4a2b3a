"""DescribeLogDirs (key 35): what lies where on this broker, and how much room is left."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...protocol.apis.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler

if TYPE_CHECKING:
    from ...log.log import Log


@handler(DescribeLogDirsRequest)
def describe_log_dirs(context: Context, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    """Describe each log dir with those of the asked partitions that lie in it (null: all)."""
    wanted: set[tuple[str, int]] | None = None
    if request.topics is not None:
        wanted = {(topic.topic, index) for topic in request.topics for index in topic.partitions}
    logs = context.broker.logs
    by_directory: dict[str, list[Log]] = {directory.path: [] for directory in logs.directories}
    for log in logs:
        if wanted is None or (log.topic, log.partition) in wanted:
            by_directory[logs.directory_of(log.topic, log.partition).path].append(log)
    results = []
    for directory in logs.directories:
        result = DescribeLogDirsResult(
            error_code=ErrorCode.NONE, log_dir=str(Path(directory.path).absolute()), topics=[]
        )
        if directory.health.failure is not None:
            result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        else:
            result.total_bytes, result.usable_bytes = _space(directory.path)
            result.topics = _topics(context, by_directory[directory.path])
            _add_moves(context, result, directory.path, wanted)
        results.append(result)
    return DescribeLogDirsResponse(throttle_time_ms=0, error_code=ErrorCode.NONE, results=results)


def _space(directory: str) -> tuple[int, int]:
    """Size and free room of the file system; -1 where there is none (a broker in memory)."""
    try:
        stat = os.statvfs(directory)
    except FileNotFoundError:
        return -1, -1
    return stat.f_frsize * stat.f_blocks, stat.f_frsize * stat.f_bavail


def _topics(context: Context, logs: Iterable[Log]) -> list[DescribeLogDirsTopic]:
    by_topic: dict[str, list[DescribeLogDirsPartition]] = {}
    for log in logs:
        partition = context.broker.partitions.get(log.topic, log.partition)
        by_topic.setdefault(log.topic, []).append(
            DescribeLogDirsPartition(
                partition_index=log.partition,
                partition_size=log.size,
                offset_lag=max(0, partition.high_watermark - log.log_end_offset),
                is_future_key=False,
            )
        )
    return [DescribeLogDirsTopic(name=name, partitions=rows) for name, rows in by_topic.items()]


def _add_moves(
    context: Context, result: DescribeLogDirsResult, directory: str, wanted: set[tuple[str, int]] | None
) -> None:
    """The copies of partitions that are on their way into this directory (KIP-113)."""
    for (topic, index), move in context.broker.upkeep.moves.under_way.items():
        if move.target.path == directory and (wanted is None or (topic, index) in wanted):
            row = DescribeLogDirsPartition(
                partition_index=index,
                partition_size=move.size,
                offset_lag=max(0, move.log.log_end_offset - move.next_offset),
                is_future_key=True,
            )
            result.topics.append(DescribeLogDirsTopic(name=topic, partitions=[row]))
