"""`__share_group_state`: how far each share group got in each partition (KIP-932)."""
