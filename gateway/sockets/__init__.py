"""Connections held in one thread of a process, beside its request threads: WebSockets, and callers that wait.

Knows nothing of what is spoken over them.
"""
