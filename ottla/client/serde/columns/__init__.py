"""Values of a whole batch as Arrow columns: Avro and Protobuf decoded in compiled code, JSON by Arrow's reader."""
