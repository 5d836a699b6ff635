"""Hints that there is work in a lane, and Celery, which carries them."""
