"""A service on a real database whose processes are killed, and whose database is stopped, while it takes payments."""
