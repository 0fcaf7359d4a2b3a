"""The tables of Kafka's configs and what derives from them."""
