"""deploy/kubernetes: what it is made into, and whether that fits the service."""
