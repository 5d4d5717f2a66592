"""The example as an app of Django's."""

from django.apps import AppConfig


class AirportConfig(AppConfig):
    """Bookings, and what the library keeps beside them."""

    name = __name__.rpartition(".")[0]
    label = "airport"
