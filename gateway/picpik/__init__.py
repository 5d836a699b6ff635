"""PICPIK's protocol as a façade: body to spec, record to body, error to code."""
