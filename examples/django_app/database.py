"""Django's settings of a database, out of a URL."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def database(url: str) -> dict[str, Any]:
    """Return the settings of the database that a URL names: `sqlite:///file.db` or `postgresql://user@host/name`.

    Raises:
        ValueError: it names another kind of database.
    """
    parts = urlsplit(url)
    kind, options = parts.scheme.partition("+")[0], dict(parse_qsl(parts.query))
    if kind == "sqlite":
        # IMMEDIATE: a writer waits for its turn when it begins, rather than failing when it writes.
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
        waits = {"timeout": float(options.get("timeout", "5"))}
        given = {"transaction_mode": "IMMEDIATE", "init_command": pragmas, **waits}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(parts.path[1:]), "OPTIONS": given}
    if kind not in {"postgresql", "postgres"}:
        raise ValueError("DATABASE_URL: sqlite:///file.db or postgresql://user:password@host:port/name")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "OPTIONS": options,
        # A connection is kept, and looked at before a request uses it again: the database may have been away.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
