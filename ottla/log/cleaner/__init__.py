"""Compaction: of each key the last record stays, at its offset.

    plan          which log is dirtiest, what of it may be cleaned, which segments become one     (event loop)
    source        the segments of a plan, read batch by batch                                     ┐
    _keys_cy      the map of keys, compiled                                                       │
    _rewrite_cy   the loops over records, compiled                                                │ worker thread
    transactions  which batches are of aborted transactions, which markers end nothing any more   │
    clean         map of the dirty part, then each group of segments written anew                 ┘
    swap          new files take the place of old ones, so that no crash leaves half of each      (both)
    passes        one pass over one log: the order of all that

Nothing here asks a clock, sleeps or starts a thread: `passes.clean_log` yields what a worker shall run and the caller
runs it where it likes. The broker's part is `broker/log_cleaner.py`.
"""
