"""aiokafka.errors: see `ottla.compat.errors`."""

from ..errors import *  # noqa: F403 - the classes of the broker's codes are made from the table
