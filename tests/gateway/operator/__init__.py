"""The operator's page, and what it has in common with the commands."""
