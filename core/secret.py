"""A value that must not be shown: a key, a token or a password."""

from __future__ import annotations

from typing import Protocol


class Secret(Protocol):
    """Holds a text and keeps it out of `repr`, errors and logs; pydantic's `SecretStr` is one.

    An adapter annotates a parameter with it, and the configuration wraps the value.
    """

    def get_secret_value(self) -> str:
        """The text itself, for the one call that needs it."""
        ...
