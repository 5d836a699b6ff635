"""The files of a release, built from a clean clone, and what is left for a person to do."""
