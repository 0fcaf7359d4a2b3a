"""Values of control records: batches that no consumer sees, between the others in a log.

Their keys are a version and a type (abort 0, commit 1, leader change 2, snapshot header 3 and footer 4, KRaft version 5,
voters 6), two int16. The value of abort and commit is `EndTxnMarker` behind a version of two bytes; the others carry
their version as a field.
"""

from ..schema import Data, Struct, f, int16, int32, int64, string, uint16, uuid


class EndTxnMarker(Data, versions="0"):
    coordinator_epoch: int32


class Voter(Struct):
    voter_id: int32
    voter_directory_id: uuid = f("1+")


class LeaderChangeMessage(Data, versions="0-1", flexible="0+"):
    version: int16
    leader_id: int32
    voters: list[Voter]
    granting_voters: list[Voter]


class SnapshotHeaderRecord(Data, versions="0", flexible="0+"):
    version: int16
    last_contained_log_timestamp: int64


class SnapshotFooterRecord(Data, versions="0", flexible="0+"):
    version: int16


class KRaftVersionRecord(Data, versions="0", flexible="0+"):
    version: int16
    k_raft_version: int16


class Endpoint(Struct):
    name: string
    host: string
    port: uint16


class KRaftVersionFeature(Struct):
    min_supported_version: int16
    max_supported_version: int16


class VotersRecordVoter(Struct):
    voter_id: int32
    voter_directory_id: uuid
    endpoints: list[Endpoint]
    k_raft_version_feature: KRaftVersionFeature


class VotersRecord(Data, versions="0", flexible="0+"):
    version: int16
    voters: list[VotersRecordVoter]
