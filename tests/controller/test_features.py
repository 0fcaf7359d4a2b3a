"""Feature levels; what is refused and why is held against Apache Kafka in tests/differential."""

from __future__ import annotations

from ottla.controller.features import ELR, UPGRADE, update_features
from ottla.metadata.image import MetadataImage, ResourceType
from ottla.protocol.apis.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from ottla.protocol.errors import ErrorCode
from ottla.protocol.stored.metadata import ConfigRecord, FeatureLevelRecord

SUPPORTED = {"metadata.version": (7, 29), "group.version": (0, 1), ELR: (0, 1)}


def updated(*levels: tuple[str, int], kind: int = UPGRADE, validate_only: bool = False) -> tuple[int, MetadataImage]:
    image = MetadataImage.empty().apply([
        FeatureLevelRecord(name="metadata.version", feature_level=29),
        ConfigRecord(resource_type=ResourceType.BROKER, resource_name="1", name="min.insync.replicas", value="2"),
    ])  # fmt: skip
    request = UpdateFeaturesRequest(
        feature_updates=[
            FeatureUpdateKey(feature=n, max_version_level=level, upgrade_type=kind) for n, level in levels
        ],
        validate_only=validate_only,
    )
    decision = update_features(image, request, version=2, supported=SUPPORTED, node_id=1, min_isr="1")
    return decision.response.error_code, image.apply(decision.records)


def test_all_updates_hold_or_none() -> None:
    code, after = updated(("group.version", 1), ("no.such", 1))
    assert code == ErrorCode.INVALID_UPDATE_VERSION
    assert "group.version" not in after.features
    assert updated(("group.version", 1))[1].features["group.version"] == 1
    assert "group.version" not in updated(("group.version", 1), validate_only=True)[1].features


def test_eligible_leaders_make_min_isr_a_config_of_the_cluster() -> None:
    _, after = updated((ELR, 1))
    assert after.features[ELR] == 1
    assert after.configs.get(ResourceType.BROKER, "") == {"min.insync.replicas": "1"}
    assert after.configs.get(ResourceType.BROKER, "1") == {}
