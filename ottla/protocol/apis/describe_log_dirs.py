"""DescribeLogDirs (key 35): sizes of replicas in each log directory of a broker (KIP-113).

Answered by the broker asked, about itself; null topics ask for all.
v2 is flexible, v3 adds a top-level error, v4 total and usable bytes of the volume (KIP-827).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class DescribableLogDirTopic(Struct):
    topic: string
    partitions: list[int32]


class DescribeLogDirsRequest(Request, api_key=35, versions="0-4", flexible="2+"):
    topics: list[DescribableLogDirTopic] | None


class DescribeLogDirsPartition(Struct):
    partition_index: int32
    partition_size: int64
    offset_lag: int64
    is_future_key: bool


class DescribeLogDirsTopic(Struct):
    name: string
    partitions: list[DescribeLogDirsPartition]


class DescribeLogDirsResult(Struct):
    error_code: int16
    log_dir: string
    topics: list[DescribeLogDirsTopic]
    total_bytes: int64 = f("4+", default=-1, ignorable=True)
    usable_bytes: int64 = f("4+", default=-1, ignorable=True)


class DescribeLogDirsResponse(Response, api_key=35, versions="0-4", flexible="2+"):
    throttle_time_ms: int32
    error_code: int16 = f("3+", ignorable=True)
    results: list[DescribeLogDirsResult]
