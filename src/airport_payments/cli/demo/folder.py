"""The demo's folder: its database, the fake's books and its own secrets, for one process at a time."""

import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from airport_payments.cli.command import CommandError

_DATABASE: Final = "demo.db"
_BOOKS: Final = "demo.fake-stripe.json"
_SECRETS: Final = "secrets.json"
_ADDRESS: Final = "address"
# Only these are ever deleted: the folder is the user's choice, and may hold other things.
_OURS: Final = (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm", f"{_DATABASE}-journal", _BOOKS, _SECRETS)


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What this demo made up for itself: made once per folder, never printed.

    Attributes:
        jwt: signs the tokens of the page's customers.
        webhook: signs the fake's webhooks.
        api_key: the fake's secret key.
        namespace: marks this folder's objects at Stripe.
    """

    jwt: str
    webhook: str
    api_key: str
    namespace: str

    @classmethod
    def new(cls) -> Self:
        """Make up new ones."""
        text = secrets.token_hex
        return cls(text(32), f"whsec_{text(24)}", f"sk_test_demo{text(12)}", f"demo-{text(4)}")


class Folder:
    """The folder, locked while the `with` block runs.

    Attributes:
        path: where it is.
        books: where the fake's state is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.books = path / _BOOKS
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / ".gitignore").write_text("*\n")  # it may lie in a checkout
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CommandError(f"cannot use the folder {self.path}: {error.strerror or error}") from None
        if not _locked(self._lock):
            os.close(self._lock)
            raise CommandError(
                f"a demo already runs with this folder{self._running_at()}. Use that one, stop it, or start another "
                "with --data DIR."
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.path / _ADDRESS).unlink(missing_ok=True)
        os.close(self._lock)  # this unlocks it

    def reset(self) -> None:
        """Forget the bookings of earlier runs."""
        for name in _OURS:
            (self.path / name).unlink(missing_ok=True)

    def secrets(self) -> Secrets:
        """Return the folder's secrets, made when there are none.

        Raises:
            CommandError: they cannot be read, or are gone while what they belong to is still there.
        """
        path = self.path / _SECRETS
        if path.exists():
            try:
                return Secrets(**json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                raise self.damaged(_SECRETS) from None
        if self.books.exists() or (self.path / _DATABASE).exists():
            raise self.damaged(_SECRETS)
        made = Secrets.new()
        self.write(path, json.dumps(asdict(made)))
        return made

    def damaged(self, name: str) -> CommandError:
        """Return the error for a file that cannot be used."""
        return CommandError(f"{self.path / name} is missing or damaged. Start afresh with --reset.")

    def database_url(self) -> str:
        """Return the SQLAlchemy URL of its database."""
        from sqlalchemy import URL  # noqa: PLC0415 - an extra

        return URL.create("sqlite", database=str(self.path / _DATABASE)).render_as_string()

    def note_address(self, url: str) -> None:
        """Leave word where the demo runs, for whoever finds the folder locked."""
        (self.path / _ADDRESS).write_text(url, "utf-8")

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Write a file that only its owner reads, so that a crash leaves the old one or the new one."""
        draft = path.with_name(f"{path.name}.new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _running_at(self) -> str:
        try:
            return f", at {(self.path / _ADDRESS).read_text('utf-8')}"
        except OSError:
            return ""


def default_folder() -> Path:
    """Return where a user's programs keep their data on this system."""
    windows = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    base = windows or os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base) / "airport-payments" / "demo"


def _locked(descriptor: int) -> bool:
    """Lock a file for as long as it is open. Returns False if another process has it."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
