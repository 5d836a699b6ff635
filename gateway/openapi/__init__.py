"""Descriptions of the gateway: OpenAPI, a Postman collection, and a page to try it on.

Each façade describes its own part in the terms of `parts`; `serving/app.py` hands all parts to `views`.
"""
