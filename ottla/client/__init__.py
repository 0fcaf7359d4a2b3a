"""The client: Producer, Consumer and Admin for any Kafka from 2.8 on."""
