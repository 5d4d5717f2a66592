"""The Django example: payments, webhook and worker on the Django ORM."""
