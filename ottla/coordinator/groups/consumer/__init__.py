"""Consumer groups: the protocol of KIP-848, with classic members in them where a group is between the two."""
