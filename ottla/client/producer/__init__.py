"""The producer: records into batches (`_append_cy`), batches into requests (`sender`), and what a user holds (`producer`)."""
