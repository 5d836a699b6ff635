"""Callers that wait for tasks to end: each is a coroutine of the event loop and costs no thread."""
