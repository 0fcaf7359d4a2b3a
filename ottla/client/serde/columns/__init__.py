"""Values of a whole batch as Arrow columns: Avro decoded in compiled code, JSON by Arrow's reader."""
