"""InitProducerId (key 22): an id and epoch under which a producer's batches are recognised.

Without a transactional id (idempotence only) the id is new and the epoch 0. With one, its coordinator gives the next
epoch of the id it has, so that every earlier producer of it is fenced; what that left open is aborted first, and the
producer asks again (CONCURRENT_TRANSACTIONS). v3 lets a producer name what it has, so that it goes on after an error only
if nobody took its place (KIP-360). v4 knows PRODUCER_FENCED. v6 (two-phase commit, KIP-939) is not stable and not served.
"""

from __future__ import annotations

from typing import Any

from ...coordinator.transactions.producers import ProducerIdAndEpoch
from ...protocol.apis.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..purgatory import settled

NO_ID = -1
NO_EPOCH = -1
_PRODUCER_FENCED_SINCE = 4


@handler(InitProducerIdRequest)
async def init_producer_id(context: Context, request: InitProducerIdRequest) -> InitProducerIdResponse:
    """Give a producer its id and epoch."""
    if (request.producer_id == NO_ID) != (request.producer_epoch == NO_EPOCH):
        return _refused(ErrorCode.INVALID_REQUEST)
    broker = context.broker
    transactional_id = request.transactional_id
    if transactional_id is None:
        return InitProducerIdResponse(producer_id=await broker.producer_ids.next(), producer_epoch=0)
    if not transactional_id:
        return _refused(ErrorCode.INVALID_REQUEST)
    expected = None
    if request.producer_id != NO_ID:
        expected = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    result: Any
    try:
        result = await settled(
            broker.transactions.init_producer_id(transactional_id, request.transaction_timeout_ms, expected)
        )
    except KafkaError as error:
        result = error.code
    if isinstance(result, ProducerIdAndEpoch):
        return InitProducerIdResponse(producer_id=result.producer_id, producer_epoch=result.epoch)
    if result is ErrorCode.PRODUCER_FENCED and context.version < _PRODUCER_FENCED_SINCE:
        result = ErrorCode.INVALID_PRODUCER_EPOCH
    return _refused(result)


def _refused(error: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=error, producer_epoch=NO_EPOCH)
