"""Decisions about feature levels: UpdateFeatures (KIP-584, KIP-778, KIP-1022).

A feature is a name with a range of levels that this release can work with; the level the cluster works at is stored. All
updates of a request hold or none. Checks are Kafka's, in its order and words (`FeatureControlManager`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..metadata.image import MetadataImage, ResourceType
from ..protocol.apis.update_features import UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import ConfigRecord, FeatureLevelRecord
from .decision import Decision

METADATA_VERSION = "metadata.version"
ELR = "eligible.leader.replicas.version"
#: The format of Kafka's quorum: known so that tools find it, and always 0, because there is no quorum here.
KRAFT_VERSION = "kraft.version"
_MIN_ISR = "min.insync.replicas"
#: FeatureUpdate.UpgradeType
UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE = 1, 2, 3
#: Levels of metadata.version with records that older levels lack: one cannot go back behind them.
_CHANGES_METADATA = (7, 8, 11, 13, 14, 15, 17, 23)

Ranges = Mapping[str, tuple[int, int]]


def update_features(
    image: MetadataImage,
    request: UpdateFeaturesRequest,
    *,
    version: int,
    supported: Ranges,
    node_id: int,
    min_isr: str,
) -> Decision[UpdateFeaturesResponse]:
    """Decide UpdateFeatures. `min_isr` is the broker's configured min.insync.replicas."""
    updates = {update.feature: update for update in request.feature_updates}  # of two for one feature the last counts
    records: list[Data] = []
    try:
        for name, update in updates.items():
            records += _update(image, name, update.max_version_level, update.upgrade_type, supported, node_id)
    except KafkaError as error:
        why = f"The update failed for all features since the following feature had an error: {error.message}"
        return Decision(UpdateFeaturesResponse(error_code=error.code, error_message=why))
    if any(isinstance(r, FeatureLevelRecord) and r.name == ELR and r.feature_level > 0 for r in records):
        records = [*_prepare_elr(image, min_isr), *records]
    response = UpdateFeaturesResponse(error_code=ErrorCode.NONE, error_message=None)
    if version <= 1:
        response.results = [
            UpdatableFeatureResult(feature=update.feature, error_code=ErrorCode.NONE, error_message="NONE")
            for update in request.feature_updates
        ]
    return Decision(response, [] if request.validate_only else records)


def _update(image: MetadataImage, name: str, level: int, kind: int, supported: Ranges, node_id: int) -> list[Data]:
    def refuse(why: str) -> KafkaError:
        return KafkaError(ErrorCode.INVALID_UPDATE_VERSION, f"Invalid update version {level} for feature {name}. {why}")

    if kind not in (UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE):
        raise refuse("The controller does not support the given upgrade type.")
    current = image.features.get(name, 0)
    if level < 0:
        raise refuse("A feature version cannot be less than 0.")
    low, high = supported.get(name, (0, 0))
    if not low <= level <= high:
        who = f"Local controller {node_id}"
        raise refuse(f"{who} only supports versions {low}-{high}" if high else f"{who} does not support this feature.")
    if level < current and kind == UPGRADE:
        raise refuse(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe "
            "downgrade."
        )
    if level > current and kind != UPGRADE:
        raise refuse("Can't downgrade to a newer version.")
    if name == KRAFT_VERSION:
        if level:
            raise refuse("The cluster has no KRaft quorum.")
        return []
    if name == METADATA_VERSION:
        _check_metadata_downgrade(current, level, unsafe=kind == UNSAFE_DOWNGRADE)
    return [FeatureLevelRecord(name=name, feature_level=level)]


def _check_metadata_downgrade(current: int, level: int, *, unsafe: bool) -> None:
    if not any(level < change <= current for change in _CHANGES_METADATA):
        return
    why = "Refusing to perform the requested downgrade because it might delete metadata information."
    if unsafe:
        why = "Unsafe metadata downgrade is not supported in this version."
    raise KafkaError(
        ErrorCode.INVALID_UPDATE_VERSION, f"Unsupported metadata.version downgrade from {current} to {level}. {why}"
    )


def _prepare_elr(image: MetadataImage, min_isr: str) -> list[Data]:
    """With eligible leader replicas min.insync.replicas must be one value for the cluster (KIP-966)."""
    records: list[Data] = []
    if _MIN_ISR not in image.configs.get(ResourceType.BROKER, ""):
        records.append(ConfigRecord(resource_type=ResourceType.BROKER, resource_name="", name=_MIN_ISR, value=min_isr))
    records += [
        ConfigRecord(resource_type=ResourceType.BROKER, resource_name=broker, name=_MIN_ISR, value=None)
        for broker in image.configs.resources(ResourceType.BROKER)
        if broker and _MIN_ISR in image.configs.get(ResourceType.BROKER, broker)
    ]
    return records
