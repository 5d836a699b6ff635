"""The client, for threads and for `asyncio`."""
