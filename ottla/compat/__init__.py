"""Import shims: programs written for another Kafka client run on this one by changing the import.

from ottla.compat import confluent_kafka        from ottla.compat.confluent_kafka import Producer, Consumer
from ottla.compat import aiokafka               from ottla.compat.aiokafka import AIOKafkaConsumer
from ottla.compat import kafka                  from ottla.compat.kafka import KafkaProducer
"""
