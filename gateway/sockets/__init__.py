"""WebSockets in one thread of a process, beside its request threads. Knows nothing of what is spoken over them."""
