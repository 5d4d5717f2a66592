"""The only place that knows Stripe's field names, statuses and errors."""
