"""What a caller installs: a client for the service and the command `keycut`."""
