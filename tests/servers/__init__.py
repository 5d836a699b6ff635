"""Servers that tests run against, and what can go wrong between them."""
