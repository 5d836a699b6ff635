"""The HTTP side of Keycut: accounts, requests, submission, results. No image work is done here."""
