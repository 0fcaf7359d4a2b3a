"""The schema registry's client: Confluent's REST API, spoken to any registry that has it.

serde ──► Registry (client.py: async; blocking.py: for threads) ──► rest.py: one exchange, bounded ──► registry
             │ caches.py                                                 └── tries: several URLs, waits, tries again
             └── model.py: Schema, Reference, RegisteredSchema          schemas/: parsing and canonical forms, pure
"""
