"""Assignors of the classic group protocol: which member reads which partition. One file each; `table` names them."""
