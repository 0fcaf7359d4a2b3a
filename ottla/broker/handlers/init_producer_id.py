"""InitProducerId (key 22): an id and epoch under which a producer's batches are recognised.

Without a transactional id (idempotence only) the id is new and the epoch 0. v3 lets a producer pass what it has and
get the next epoch (KIP-360), which only transactional producers need: an idempotent one gets a new id.
Transactional ids are refused until the broker has a transaction coordinator.
"""

from __future__ import annotations

from ...protocol.apis.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler

NO_EPOCH = -1


@handler(InitProducerIdRequest)
async def init_producer_id(context: Context, request: InitProducerIdRequest) -> InitProducerIdResponse:
    """Give out the next producer id."""
    if request.transactional_id == "" or (request.producer_id < 0) != (request.producer_epoch < 0):
        return InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST, producer_epoch=NO_EPOCH)
    if request.transactional_id is not None:
        return InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST, producer_epoch=NO_EPOCH)
    return InitProducerIdResponse(producer_id=await context.broker.producer_ids.next(), producer_epoch=0)
