"""Requests and answers in Runware's form."""
