"""The command `cutgate`, one module a command."""
