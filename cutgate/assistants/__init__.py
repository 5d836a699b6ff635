"""A server of the Model Context Protocol, through which assistants cut out files."""
