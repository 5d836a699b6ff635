"""Accounts, their key pairs and API keys, and how often each may ask."""
