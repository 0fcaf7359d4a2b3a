"""Records of the cluster metadata log (__cluster_metadata): what happened to the cluster, in order.

Every broker replays them into its picture of the cluster. Kafka's controller writes the same records, so that a data
folder of Kafka can be read and taken over. The number after `api_key` is the record type in the frame
(`metadata_frame`). Later versions of `PartitionRecord`, `PartitionChangeRecord` and `RegisterBrokerRecord` add log
directories (KIP-858) and eligible leader replicas (KIP-966).
"""

from ..schema import Data, Struct, f, float64, int8, int16, int32, int64, string, uint16, uuid


class AbortTransactionRecord(Data, api_key=25, versions="0", flexible="0+"):
    reason: string | None = f(default=None, tag=0)


class AccessControlEntryRecord(Data, api_key=18, versions="0", flexible="0+"):
    id: uuid
    resource_type: int8
    resource_name: string
    pattern_type: int8
    principal: string
    host: string
    operation: int8
    permission_type: int8


class BeginTransactionRecord(Data, api_key=23, versions="0", flexible="0+"):
    name: string | None = f(default=None, tag=0)


class BrokerRegistrationChangeRecord(Data, api_key=17, versions="0-2", flexible="0+"):
    broker_id: int32
    broker_epoch: int64
    fenced: int8 = f(tag=0)
    in_controlled_shutdown: int8 = f("1+", tag=1)
    log_dirs: list[uuid] = f("2+", tag=2)


class ClearElrRecord(Data, api_key=28, versions="0", flexible="0+"):
    topic_name: string


class EntityData(Struct):
    entity_type: string
    entity_name: string | None


class ClientQuotaRecord(Data, api_key=14, versions="0", flexible="0+"):
    entity: list[EntityData]
    key: string
    value: float64
    remove: bool


class ConfigRecord(Data, api_key=4, versions="0", flexible="0+"):
    resource_type: int8
    resource_name: string
    name: string
    value: string | None


class DelegationTokenRecord(Data, api_key=10, versions="0", flexible="0+"):
    owner: string
    requester: string
    renewers: list[string]
    issue_timestamp: int64
    max_timestamp: int64
    expiration_timestamp: int64
    token_id: string


class EndTransactionRecord(Data, api_key=24, versions="0", flexible="0+"):
    pass


class FeatureLevelRecord(Data, api_key=12, versions="0", flexible="0+"):
    name: string
    feature_level: int16


class FenceBrokerRecord(Data, api_key=7, versions="0", flexible="0+"):
    id: int32
    epoch: int64


class NoOpRecord(Data, api_key=20, versions="0", flexible="0+"):
    pass


class PartitionChangeRecord(Data, api_key=5, versions="0-2", flexible="0+"):
    partition_id: int32 = f(default=-1)
    topic_id: uuid
    isr: list[int32] | None = f(default=None, tag=0)
    leader: int32 = f(default=-2, tag=1)
    replicas: list[int32] | None = f(default=None, tag=2)
    removing_replicas: list[int32] | None = f(default=None, tag=3)
    adding_replicas: list[int32] | None = f(default=None, tag=4)
    leader_recovery_state: int8 = f(default=-1, tag=5)
    directories: list[uuid] | None = f("1+", default=None, tag=8)
    eligible_leader_replicas: list[int32] | None = f("2+", default=None, tag=6)
    last_known_elr: list[int32] | None = f("2+", default=None, tag=7)


class PartitionRecord(Data, api_key=3, versions="0-2", flexible="0+"):
    partition_id: int32 = f(default=-1)
    topic_id: uuid
    replicas: list[int32]
    isr: list[int32]
    removing_replicas: list[int32]
    adding_replicas: list[int32]
    leader: int32 = f(default=-1)
    leader_recovery_state: int8 = f(tag=0)
    leader_epoch: int32 = f(default=-1)
    partition_epoch: int32 = f(default=-1)
    directories: list[uuid] = f("1+")
    eligible_leader_replicas: list[int32] | None = f("2+", default=None, tag=1)
    last_known_elr: list[int32] | None = f("2+", default=None, tag=2)


class ProducerIdsRecord(Data, api_key=15, versions="0", flexible="0+"):
    broker_id: int32
    broker_epoch: int64 = f(default=-1)
    next_producer_id: int64


class BrokerEndpoint(Struct):
    name: string
    host: string
    port: uint16
    security_protocol: int16


class BrokerFeature(Struct):
    name: string
    min_supported_version: int16
    max_supported_version: int16


class RegisterBrokerRecord(Data, api_key=0, versions="0-3", flexible="0+"):
    broker_id: int32
    is_migrating_zk_broker: bool = f("2+")
    incarnation_id: uuid
    broker_epoch: int64
    end_points: list[BrokerEndpoint]
    features: list[BrokerFeature]
    rack: string | None
    fenced: bool = f(default=True)
    in_controlled_shutdown: bool = f("1+")
    log_dirs: list[uuid] = f("3+", tag=0)


class ControllerEndpoint(Struct):
    name: string
    host: string
    port: uint16
    security_protocol: int16


class ControllerFeature(Struct):
    name: string
    min_supported_version: int16
    max_supported_version: int16


class RegisterControllerRecord(Data, api_key=27, versions="0", flexible="0+"):
    controller_id: int32
    incarnation_id: uuid
    zk_migration_ready: bool
    end_points: list[ControllerEndpoint]
    features: list[ControllerFeature]


class RemoveAccessControlEntryRecord(Data, api_key=19, versions="0", flexible="0+"):
    id: uuid


class RemoveDelegationTokenRecord(Data, api_key=26, versions="0", flexible="0+"):
    token_id: string


class RemoveTopicRecord(Data, api_key=9, versions="0", flexible="0+"):
    topic_id: uuid


class RemoveUserScramCredentialRecord(Data, api_key=22, versions="0", flexible="0+"):
    name: string
    mechanism: int8


class TopicRecord(Data, api_key=2, versions="0", flexible="0+"):
    name: string
    topic_id: uuid


class UnfenceBrokerRecord(Data, api_key=8, versions="0", flexible="0+"):
    id: int32
    epoch: int64


class UnregisterBrokerRecord(Data, api_key=1, versions="0", flexible="0+"):
    broker_id: int32
    broker_epoch: int64


class UserScramCredentialRecord(Data, api_key=11, versions="0", flexible="0+"):
    name: string
    mechanism: int8
    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int32


class ZkMigrationStateRecord(Data, api_key=21, versions="0", flexible="0+"):
    zk_migration_state: int8
