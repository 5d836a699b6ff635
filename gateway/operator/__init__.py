"""What an operator sees of the service: the same for the command `status` and for a page."""
