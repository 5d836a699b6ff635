"""Limits and features of this machine: processor, container and memory."""
