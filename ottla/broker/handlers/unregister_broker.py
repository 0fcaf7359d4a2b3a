"""UnregisterBroker (key 64): forget a broker that will not come back.

Kafka forgets a running broker too, which then serves nobody until it is started again. Here a broker that is alive must be
stopped first.
"""

from __future__ import annotations

from ...controller.brokers import unregister_broker as decide
from ...protocol.apis.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(UnregisterBrokerRequest)
async def unregister_broker(context: Context, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse:
    """Forget a broker that is not alive."""
    broker, asked = context.broker, request.broker_id
    if asked in await broker.metadata.alive():
        why = f"Broker {asked} is running; stop it before it is unregistered."
        return UnregisterBrokerResponse(error_code=ErrorCode.INVALID_REQUEST, error_message=why)
    try:
        await broker.controller.submit(lambda image: decide(image, asked))
    except KafkaError as error:
        return UnregisterBrokerResponse(error_code=error.code, error_message=error.message)
    return UnregisterBrokerResponse(error_code=ErrorCode.NONE, error_message=None)
