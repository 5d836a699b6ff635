"""Implementations of `cutgate.jobs.hints.queue.JobQueue`; import the module of the one you need."""
