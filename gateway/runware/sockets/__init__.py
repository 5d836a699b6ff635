"""The protocol over WebSockets."""
