"""Marks of uploads in parts: small objects by which the next process goes on with what a killed one had sent.

A mark stands beside the parts for as long as the upload lasts, and is gone with it. What a mark names is of
one key and one content, so that two processes that store the same file send the same parts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from .errors import IntegrityError

PREFIX = "uploads/"


@dataclass(frozen=True, slots=True)
class Mark:
    """An upload that was begun.

    Args:
        key: Of the object that it makes.
        md5: The digest of the object.
        upload: The store's own id of it; empty before there is one.
    """

    key: str
    md5: str
    upload: str = ""

    @property
    def place(self) -> str:
        """The key under which the mark is kept."""
        digest = hashlib.sha256(json.dumps([self.key, self.md5]).encode()).hexdigest()
        return f"{PREFIX}{digest}.json"

    def to_bytes(self) -> bytes:
        """As it is kept."""
        return json.dumps({"key": self.key, "md5": self.md5, "upload": self.upload}).encode()

    @classmethod
    def from_bytes(cls, body: bytes) -> Mark:
        """The opposite of `to_bytes`.

        Raises:
            IntegrityError: It is no mark of ours.
        """
        try:
            value = json.loads(body)
            mark = cls(str(value["key"]), str(value["md5"]), str(value["upload"]))
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError("the mark of an upload can't be read") from error
        return mark
