"""Repositories that come with the library. Each is imported by its own name, so that only what is used is loaded."""
