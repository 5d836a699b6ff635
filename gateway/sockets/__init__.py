"""WebSockets on the event loop. Knows nothing of what is spoken over them."""
