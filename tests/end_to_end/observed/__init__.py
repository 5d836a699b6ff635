"""What can be seen of a running service: its lines and its traces."""
