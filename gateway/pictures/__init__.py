"""Pictures as callers send them: read, measured and kept, never decoded."""
