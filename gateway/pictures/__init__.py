"""Pictures as callers send them: read and kept, never decoded."""
