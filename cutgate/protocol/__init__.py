"""One call to a service: what is said, sent, repeated and understood."""
