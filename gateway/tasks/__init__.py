"""The use cases: accept pictures, show tasks, wait for their end. No protocol is known here."""
