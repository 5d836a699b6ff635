"""The HTTP side of Cutgate: accounts, requests, submission, results. No image work is done here."""
