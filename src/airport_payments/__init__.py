"""Bookings paid through Stripe: never charged twice, never lost, never confirmed unpaid."""
