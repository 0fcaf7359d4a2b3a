"""UpdateFeatures (key 57): raise or lower the level at which the cluster works a feature (KIP-584)."""

from __future__ import annotations

from ...controller.features import update_features as decide
from ...protocol.apis.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse
from ..dispatch import Context, handler


@handler(UpdateFeaturesRequest)
async def update_features(context: Context, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
    """Change feature levels, all or none."""
    broker = context.broker
    return await broker.controller.submit(
        lambda image: decide(
            image,
            request,
            version=context.version,
            supported=broker.supported_features,
            node_id=broker.node_id,
            min_isr=str(broker.config.integer("min.insync.replicas")),
        )
    )
