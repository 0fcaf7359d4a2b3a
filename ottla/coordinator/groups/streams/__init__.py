"""Streams groups (KIP-1071): the coordinator knows the topology and hands out tasks to the members.

    topology    what a member says it processes: subtopologies, their source, repartition and changelog topics
    configured  the same with partition counts decided, or why they cannot be; which internal topics are missing
    tasks       sets of tasks: a task is a partition number of a subtopology; active, standby, warm-up
    assignor    who shall have which task: the sticky assignor, on Java's heap (`priority_queue`)
    member, group   the stored state, changed by `replay` alone
    reconcile   the next step of one member towards its target
    requests    what a heartbeat may contain
    heartbeat   the decisions: join, stay, leave, time-outs
    endpoints, describe   what members and administrators are told
    records     keys 17 to 23 of `__consumer_offsets`

Behaviour is that of Kafka 4.2's group coordinator.
"""
