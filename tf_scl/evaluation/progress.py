"""A line in the log now and then, from what takes long."""

import logging
import time

EVERY = 5.0  # seconds between two lines, at least


class Progress:
    """Logs at most one line every `EVERY` seconds; what is over by then says nothing.

    Args:
        log: `logging.Logger`.
        what: Str, what takes long, with which each line begins.
    """

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what = log, what
        self._last = time.monotonic()

    def report(self, where: str) -> None:
        """Logs at level INFO that it is at `where`, a str, if a line is due."""
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self._log.info("%s: %s", self._what, where)
