"""Who a client is and what it may do: principals, SASL mechanisms, credentials, ACLs.

No socket, clock or disk but in `tls`, `tls_stores` and `identity_provider`.
"""
