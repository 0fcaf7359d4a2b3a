"""Who a folder belongs to: read, checked, completed; refused with a text that says what to do."""

from __future__ import annotations

import pytest

from ottla.broker.identity import IdentityError, new_cluster_id, stored_cluster_id, write_identity
from ottla.log.checkpoints import format_uuid
from ottla.log.directory import LogDirectory
from ottla.log.memory_files import MemoryFiles

CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"


def folder(path: str = "/one", **properties: str) -> LogDirectory:
    directory = LogDirectory(MemoryFiles(), path)
    if properties:
        directory.write_properties({key.replace("_", "."): value for key, value in properties.items()})
    return directory


def test_a_cluster_id_is_22_characters_that_a_folder_name_can_have() -> None:
    first, second = new_cluster_id(), new_cluster_id()
    assert len(first) == 22
    assert first != second
    assert first.replace("-", "").replace("_", "").isalnum()


def test_new_folders_have_no_cluster() -> None:
    assert stored_cluster_id([folder(), folder("/two")], 1) is None


def test_a_folder_tells_its_cluster_and_new_ones_join_it() -> None:
    assert stored_cluster_id([folder(node_id="1", cluster_id=CLUSTER), folder("/two")], 1) == CLUSTER


def test_a_folder_of_another_node_is_refused_with_both_ways_out() -> None:
    with pytest.raises(IdentityError) as caught:
        stored_cluster_id([folder(node_id="7", cluster_id=CLUSTER)], 1)
    text = str(caught.value)
    assert "/one belongs to node 7" in text
    assert "this broker is node 1" in text
    assert "start with node.id=7" in text
    assert "folder of its own" in text


def test_kafka_s_older_name_of_the_node_id_counts_as_well() -> None:
    with pytest.raises(IdentityError, match="belongs to node 0"):
        stored_cluster_id([folder(broker_id="0", cluster_id=CLUSTER)], 1)


def test_folders_of_two_clusters_are_refused_naming_both() -> None:
    with pytest.raises(IdentityError) as caught:
        stored_cluster_id([folder(cluster_id="A", node_id="1"), folder("/two", cluster_id="B", node_id="1")], 1)
    assert "/one to A" in str(caught.value)
    assert "/two to B" in str(caught.value)


def test_identity_is_written_once_and_kept() -> None:
    directories = [folder(), folder("/two")]
    ids = write_identity(directories, 3, CLUSTER)
    assert len(set(ids)) == 2
    for directory, directory_id in zip(directories, ids, strict=True):
        assert directory.read_properties() == {
            "version": "1", "cluster.id": CLUSTER, "node.id": "3", "directory.id": format_uuid(directory_id),
        }  # fmt: skip
    assert write_identity(directories, 3, CLUSTER) == ids
    assert stored_cluster_id(directories, 3) == CLUSTER


def test_what_else_stands_in_the_file_is_kept() -> None:
    directory = folder(node_id="1", cluster_id=CLUSTER, something_else="kept")
    write_identity([directory], 1, CLUSTER)
    assert directory.read_properties()["something.else"] == "kept"
