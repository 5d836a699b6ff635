"""Cutting out in the caller's own process, without a service. Importing it loads no image library."""
