"""`python -m examples.django_app.manage work_payments`: run one or more, beside the web servers."""

import signal
import threading

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Does what is due: announcements, commands that a crash left, holds that end."""

    help = "Do what is due in payments, until told to stop."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Work until SIGTERM or Ctrl-C."""
        from ... import payments  # noqa: PLC0415 - makes the gateway, which Django's other commands need not

        stop = threading.Event()

        def end(_number: int, _frame: object) -> None:
            stop.set()
            payments.gateway.wake()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        self.stdout.write("Working.")
        payments.gateway.work(stop)
        payments.gateway.close()
        self.stdout.write("Stopped.")
