"""The same scenarios against FakeStripe and against Stripe's test mode, and where the two differ: `make live`."""
