"""Bugsink for the tests: on SQLite, without a broker, strict about what it takes, silent to the outside."""

import logging
import os

from bugsink.settings.default import *  # noqa: F403
from bugsink.settings.default import DATABASES, LOGGING

HOME = os.environ["BUGSINK_HOME"]
SECRET_KEY = "a server that lives as long as the tests has nothing to protect"
TIME_ZONE = "UTC"

for name, database in DATABASES.items():
    database["NAME"] = f"{HOME}/{name}.sqlite3"
    # Patience: cargo may keep all cores busy. And nothing here has to survive a power cut.
    database["OPTIONS"] |= {"timeout": 60, "init_command": "PRAGMA synchronous = OFF"}
    if name == "default":
        database["OPTIONS"]["query_timeout"] = 60

# Without a queue: an event can be read when its POST returns.
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

BUGSINK = {
    "BASE_URL": os.environ.get("BUGSINK_URL", "http://127.0.0.1"),
    # An event that breaks Sentry's schema is answered 200, not stored, and a line in the log below.
    "VALIDATE_ON_DIGEST": "strict",
    "PHONEHOME": False,
    "INGEST_STORE_BASE_DIR": f"{HOME}/ingestion",
    # Small enough for a test to exceed; it counts for each project.
    "MAX_EVENTS_PER_PROJECT_PER_5_MINUTES": int(os.environ["BUGSINK_QUOTA"]),
    "MAX_EVENTS_PER_5_MINUTES": 1_000_000,
    "MAX_EVENTS_PER_HOUR": 1_000_000,
}


class OneLine(logging.Formatter):
    """The message and its cause on one line, for grep."""

    def format(self, record):
        cause = f": {record.exc_info[1]}" if record.exc_info else ""
        return f"{record.levelname} {record.name} {record.getMessage()}{cause}".replace("\n", " ")


LOGGING["formatters"]["one line"] = {"()": OneLine}
LOGGING["handlers"]["problems"] = {
    "class": "logging.FileHandler",
    "filename": f"{HOME}/problems.log",
    "level": "WARNING",
    "formatter": "one line",
}
LOGGING["root"] = {"handlers": ["problems"]}
