"""Schemas as such: parsed, resolved, in canonical form. Pure; for serializers as for a registry."""
