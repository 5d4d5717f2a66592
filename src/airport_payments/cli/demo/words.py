"""What the demo says."""

from pathlib import Path
from typing import Final

from airport_payments.cli.demo.address import Address
from airport_payments.cli.demo.mode import Mode

GOODBYE: Final = "\nStopped. Your bookings are kept for the next run."

_FAKE: Final = """\
  This is a fake Stripe: no account, no real money, and never a real card.

  Book something, then pay with one of these:
    4242 4242 4242 4242   is paid
    4000 0000 0000 0002   is declined
    4000 0000 0000 9995   has insufficient funds
    4000 0027 6000 3184   asks for 3D Secure: you play the bank
    4000 0000 0000 0259   is paid, then disputed"""

_TEST_MODE: Final = """\
  This is Stripe's test mode, with your keys: no real money. Use Stripe's test cards, such as 4242 4242 4242 4242.

  Forward Stripe's webhooks in another terminal, with the secret that you gave as STRIPE_WEBHOOK_SECRET:
    stripe listen --forward-to {url}/payment/webhook"""


def welcome(address: Address, folder: Path, mode: Mode, *, wanted_port: int) -> str:
    """Return what is printed once the demo answers."""
    lines = ["", f"  The demo runs at {address.url}"]
    if wanted_port not in {0, address.port}:
        lines.append(f"  (port {wanted_port} is taken)")
    lines += ["", _FAKE if mode.is_fake else _TEST_MODE.format(url=address.url), ""]
    lines += [f"  API pages: {address.url}/docs", f"  Bookings:  {folder}  (forget them with --reset)"]
    lines += ["", "  Ctrl-C stops it.", ""]
    return "\n".join(lines)
