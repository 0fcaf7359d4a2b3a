"""What is asked before a handler runs, and taken out of its answer: one function per API, listed in `broker/authorization`."""
