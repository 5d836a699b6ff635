"""The application and what serves it."""
