"""The airport's bookings, and the three tables in which the library keeps its part.

`Booking` stands for a model that you have already. The other three are to be copied as they are.
"""

from django.db import models


class Booking(models.Model):
    """What a customer booked. Yours has more fields; these six are read, and `status` is written."""

    id = models.CharField(primary_key=True, max_length=255)
    owner = models.CharField(max_length=255)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16, default="pending")
    hold_until = models.DateTimeField(null=True)

    class Meta:
        """Found by customer, and by the end of their hold."""

        db_table = "airport_bookings"
        indexes = (
            models.Index(fields=["owner"], name="airport_bookings_owner"),
            models.Index(fields=["hold_until"], name="airport_bookings_hold", condition=models.Q(status="pending")),
        )


class Ledger(models.Model):
    """All that is known of a booking's payments, as one document that only the library reads."""

    booking = models.OneToOneField(Booking, models.PROTECT, primary_key=True, related_name="ledger")
    version = models.BigIntegerField()
    document = models.TextField()
    due_at = models.DateTimeField(null=True)

    class Meta:
        """Found by when something is due."""

        db_table = "airport_ledgers"
        indexes = (
            models.Index(fields=["due_at"], name="airport_ledgers_due", condition=models.Q(due_at__isnull=False)),
        )


class PaymentRow(models.Model):
    """A payment, as it has to be found: by its PaymentIntent, and as the one of its booking that can be paid."""

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="payment_rows")
    attempt_id = models.CharField(max_length=255)
    intent_id = models.CharField(max_length=255, null=True)
    state = models.CharField(max_length=16)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        """A booking has at most one payment that can still be paid, and a PaymentIntent one booking."""

        db_table = "airport_payments"
        constraints = (
            models.UniqueConstraint(fields=["booking", "attempt_id"], name="airport_payments_attempt"),
            models.UniqueConstraint(fields=["intent_id"], name="airport_payments_intent"),
            models.UniqueConstraint(
                fields=["booking"],
                name="airport_payments_payable",
                condition=models.Q(state__in=["payable", "closing"]),
            ),
        )


class HistoryRow(models.Model):
    """A line of a booking's story."""

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="history_rows")
    version = models.BigIntegerField()
    line = models.IntegerField()
    at = models.DateTimeField()
    fact = models.CharField(max_length=255)
    decision = models.TextField()
    event_id = models.CharField(max_length=255, null=True)
    intent_id = models.CharField(max_length=255, null=True)

    class Meta:
        """Each version of a ledger writes its lines once."""

        db_table = "airport_history"
        constraints = (models.UniqueConstraint(fields=["booking", "version", "line"], name="airport_history_line"),)
