"""Judges from outside: the test-suites of other projects, run against Ottla and Apache Kafka alike (suite.py says how)."""
