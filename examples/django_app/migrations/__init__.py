"""Part of the Django example."""
