"""What lies in Kafka's internal topics and logs, in the same language as what goes over the wire.

consumer_offsets   __consumer_offsets      ┐
transaction_state  __transaction_state     ├ keys and values: `coordinator_records`
share_group_state  __share_group_state     ┘
metadata           __cluster_metadata      records in a frame: `metadata_frame`
control_records    values of control batches in any log
"""
