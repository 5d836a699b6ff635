"""From a hint to an ended item: Celery, parent and child, claims and their leases."""
