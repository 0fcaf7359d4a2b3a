"""`__consumer_offsets`: groups of every kind and the offsets they commit."""
