"""Django's commands: `python -m examples.django_app.manage migrate`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{__package__}.settings")
    execute_from_command_line(sys.argv)
