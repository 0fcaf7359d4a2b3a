"""Who this broker is: `meta.properties` in each log dir, read, checked and completed.

Kafka's file and keys: `version`, `cluster.id`, `node.id`, `directory.id`. A folder that belongs to another node or another
cluster is refused before anything in it is touched.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ..controller.topics import new_topic_id
from ..log.checkpoints import format_uuid, parse_uuid
from ..log.directory import parse_folder_name
from ..log.manager import CLUSTER_METADATA
from .chance import RANDOM

if TYPE_CHECKING:
    from ..log.directory import LogDirectory


class IdentityError(Exception):
    """A log dir belongs to somebody else; the text says to whom and what to do."""


def new_cluster_id() -> str:
    """Make a cluster id as Kafka does: a random UUID in 22 characters of URL-safe base 64."""
    return base64.urlsafe_b64encode(new_topic_id(RANDOM)).decode().rstrip("=")


def stored_cluster_id(directories: list[LogDirectory], node_id: int) -> str | None:
    """Return the cluster id that the log dirs carry, or None if all are new. Raises IdentityError."""
    found: dict[str, str] = {}
    for directory in directories:
        properties = directory.read_properties()
        owner = properties.get("node.id", properties.get("broker.id"))
        if owner is not None and owner != str(node_id):
            raise IdentityError(
                f"{directory.path} belongs to node {owner} (its meta.properties says so), and this broker is node "
                f"{node_id}: start with node.id={owner}, or give this broker a folder of its own"
            )
        if "cluster.id" in properties:
            found[properties["cluster.id"]] = directory.path
    if len(found) > 1:
        raise IdentityError(
            "the log dirs belong to different clusters: " + ", ".join(f"{d} to {c}" for c, d in found.items())
        )
    return next(iter(found), None)


def check_no_partitions(directories: list[LogDirectory]) -> None:
    """Refuse a new metadata log beside old partitions, which it would not know. Raises IdentityError."""
    for directory in directories:
        keys = ((name, parse_folder_name(name)) for name in directory.folders())
        known = [name for name, key in keys if key is not None and key[0] != CLUSTER_METADATA]
        if known:
            raise IdentityError(
                f"{directory.path} holds partitions ({known[0]}, {len(known)} in all), but the metadata log that knew their "
                f"topics is gone: restore ottla-metadata.db, or start with an empty folder"
            )


def write_identity(directories: list[LogDirectory], node_id: int, cluster_id: str) -> list[bytes]:
    """Complete `meta.properties` in each log dir; returns the directory ids. Raises IdentityError, and wrote nothing."""
    for directory in directories:
        theirs = directory.read_properties().get("cluster.id", cluster_id)
        if theirs != cluster_id:
            raise IdentityError(
                f"{directory.path} belongs to cluster {theirs} (its meta.properties says so), and the metadata log is that "
                f"of cluster {cluster_id}: give this broker a folder of its own, or the metadata log of its cluster"
            )
    ids = []
    for directory in directories:
        properties = directory.read_properties()
        directory_id = properties.get("directory.id") or format_uuid(new_topic_id(RANDOM))
        wanted = {
            **properties,
            "version": "1",
            "cluster.id": cluster_id,
            "node.id": str(node_id),
            "directory.id": directory_id,
        }
        if wanted != properties:
            directory.write_properties(wanted)
        ids.append(parse_uuid(directory_id))
    return ids
