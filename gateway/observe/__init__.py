"""What is counted and logged of every request."""
