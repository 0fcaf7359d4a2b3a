"""Record batches: build, read, check, compress. Pure: bytes in, bytes out."""
