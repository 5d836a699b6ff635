"""The process that speaks to servers outside: it fetches sources by URL, posts callbacks, uploads results."""
