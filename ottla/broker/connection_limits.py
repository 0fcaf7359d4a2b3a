"""The limits of one connection: sizes, counts and times, each with its reason. How they work together: `connection`."""

from __future__ import annotations

#: A frame in parts starts with this much or twice what is there, so that a claimed 100 MiB costs what was sent, and then
#: grows to so many times its size, until that is more than `PARTIAL_BUFFER_STEP`; from there it doubles.
PARTIAL_BUFFER_SIZE = 4 * 1024
PARTIAL_BUFFER_GROWTH = 4
PARTIAL_BUFFER_STEP = 1024 * 1024
#: A frame that has begun must end within this time: 1 byte a second is no client. A 100 MiB frame at 4 MB/s is.
FRAME_DEADLINE_S = 30.0
#: Requests kept while an earlier one of the same connection is unanswered; no client has more in flight by default.
BACKLOG_MAX = 64
#: And their bytes. A frame that arrives meanwhile stays in the kernel beyond so much, as everything does with Kafka.
BACKLOG_BYTES_MAX = 128 * 1024
#: Requests of one connection that arrived together are worked on for so long before other connections have their turn.
TURN_S = 0.05
#: Unsent bytes of one connection above which it is not served until the client reads (then below a quarter of it), and
#: from which they count in `request_memory.UnreadMemory`.
UNSENT_BUFFER_MAX = 128 * 1024
#: Bytes of answers behind an unanswered one, above which no further request is started.
WRITE_BUFFER_MAX = 4 * 1024 * 1024
#: How often slow and idle connections are looked for.
SWEEP_INTERVAL_S = 1.0
#: A client that reads none of its answers for this long is closed.
UNREAD_DEADLINE_S = 60.0
#: What is unsent when we close a connection has so long to leave.
CLOSE_DEADLINE_S = 5.0
