"""Many pictures through one client, each done once."""
