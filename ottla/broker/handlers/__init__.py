"""One module per API key, named as in `protocol/apis`; `dispatch` finds them by scanning this folder."""
