"""WriteTxnMarkers (key 27): end transactions in partitions this broker leads.

Coordinators send it to leaders; an administrator sends it to end a transaction that hangs (`kafka-transactions.sh
abort`, KIP-664). Each marker is answered partition by partition once it is committed. v2 says which version of
transactions the producer spoke (KIP-1228): with version 2 a marker must bring a newer epoch than the partition knows.
"""

from __future__ import annotations

from functools import partial

from ...protocol.apis.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from ...protocol.errors import ErrorCode
from ..coordinators.markers import Marker, write_marker
from ..dispatch import Context, handler
from ..purgatory import Deferred


class _Counting:
    """Counts down the markers of a request and resolves its answer."""

    __slots__ = ("_left", "_response", "answer")

    def __init__(self, response: WriteTxnMarkersResponse) -> None:
        self.answer = Deferred()
        self._response = response
        self._left = 1

    def hold(self) -> None:
        """One more to wait for."""
        self._left += 1

    def done(self, result: WritableTxnMarkerPartitionResult, error: ErrorCode) -> None:
        """Take the outcome of one marker in one partition."""
        result.error_code = error
        self.release()

    def release(self) -> None:
        """One fewer to wait for."""
        self._left -= 1
        if not self._left:
            self.answer.resolve(self._response)


@handler(WriteTxnMarkersRequest)
def write_txn_markers(context: Context, request: WriteTxnMarkersRequest) -> Deferred:
    """Write the markers."""
    response = WriteTxnMarkersResponse()
    counting = _Counting(response)
    for marker in request.markers:
        if any(topic.partition_indexes for topic in marker.topics):
            response.markers.append(_write(context, marker, counting))
    counting.release()
    return counting.answer


def _write(context: Context, wanted: WritableTxnMarker, counting: _Counting) -> WritableTxnMarkerResult:
    marker = Marker(
        wanted.producer_id, wanted.producer_epoch, wanted.transaction_result, wanted.coordinator_epoch,
        wanted.transaction_version,
    )  # fmt: skip
    topics = []
    for topic in wanted.topics:
        results = []
        for index in topic.partition_indexes:
            result = WritableTxnMarkerPartitionResult(partition_index=index, error_code=ErrorCode.NONE)
            results.append(result)
            counting.hold()
            write_marker(context.broker, topic.name, index, marker, partial(counting.done, result))
        topics.append(WritableTxnMarkerTopicResult(name=topic.name, partitions=results))
    return WritableTxnMarkerResult(producer_id=wanted.producer_id, topics=topics)
