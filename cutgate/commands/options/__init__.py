"""Options that several commands share: where the service is, and what a result looks like."""
