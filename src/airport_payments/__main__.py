"""`python -m airport_payments …`: the same as the command `airport-payments`."""

import sys

from airport_payments.cli import main

sys.exit(main())
