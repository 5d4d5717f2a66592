"""Our marks in a PaymentIntent's metadata: what carries all three is ours. Stripe allows keys of 40 characters."""

from typing import Final

META_NAMESPACE: Final = "airport_namespace"
META_BOOKING: Final = "airport_booking"
META_ATTEMPT: Final = "airport_attempt"
META_REFUND: Final = "airport_refund"
META_OWNER: Final = "airport_owner"
