"""Who an idempotent producer is: its producer id and epoch, asked for at the first batch, renewed when numbers have a gap.

A higher epoch starts sequence numbers anew (KIP-360). An idempotent producer without transactions raises it by itself; when
the epoch is used up, it asks for a new id. With transactions the coordinator gives both (`transaction`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...protocol.apis.init_producer_id import InitProducerIdRequest
from ..cluster import ANY
from ..errors import ClientError, broker_error
from .batch import NOBODY, Identity

if TYPE_CHECKING:
    from ..cluster import Cluster

EPOCH_MAX = 32767


class IdentityKeeper:
    """Holds the identity; `wanted` is False for a producer that is not idempotent."""

    def __init__(self, cluster: Cluster, *, wanted: bool, transactional: bool) -> None:
        self.cluster = cluster
        self.wanted = wanted
        self.transactional = transactional
        self.current = NOBODY
        #: The last thing that kept us from an identity.
        self.problem: ClientError | None = None
        self.spawn: Callable[[Any], None]
        self.wake: Callable[[], None]
        self.on_fatal: Callable[[ClientError], None]
        self._asking = False

    @property
    def ready(self) -> bool:
        return self.current != NOBODY

    def take(self, producer_id: int, epoch: int) -> None:
        """From now on this is who we are."""
        self.current = Identity(producer_id, epoch)

    def renew(self) -> None:
        """Go on with a higher epoch; partitions take it up when nothing of theirs is in flight."""
        if self.transactional or not self.ready:
            return
        if self.current.epoch >= EPOCH_MAX - 1:
            self.current = NOBODY
            self.wake()
        else:
            self.current = Identity(self.current.producer_id, self.current.epoch + 1)

    def obtain(self) -> None:
        """Ask for an id, once; a turn follows."""
        if self.transactional or self._asking:
            return
        self._asking = True
        self.spawn(self._ask())

    async def _ask(self) -> None:
        try:
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=2**31 - 1)
            answer = await self.cluster.request(request, ANY)
            if answer.error_code:
                raise broker_error(answer.error_code, api="InitProducerId")
            self.take(answer.producer_id, answer.producer_epoch)
            self.problem = None
        except ClientError as problem:
            self.problem = problem
            if not problem.retriable:
                self.on_fatal(problem)
        finally:
            self._asking = False
            self.wake()
