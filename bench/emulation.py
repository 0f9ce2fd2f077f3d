"""Emulators: found by where they are, refused unless they are asked for, and named in every output.

How fast an imitation is says nothing of the service. Services that nobody can run by himself are emulated
where their address is this machine's or of a private network; a server that one can run says what it is when
it is asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import httpx

from ..core.errors import ConfigurationError
from .results import StackInfo

_SERVICES = frozenset({"vikingdb", "ark", "marengo", "tos"})
_IMITATION = "an imitation"  # the title of `polyreel.testing.qdrant`
_ASKING = 2.0  # seconds
_OTHERS = ("embedder", "objects", "reranker")
_KEYS = ("url", "endpoint", "host")  # how keys end whose values are addresses, with or without https://


def marked(info: StackInfo) -> StackInfo:
    """The stack, with its parts that are emulated."""
    kinds = {
        "store": info.store,
        **{each: info.settings.get(f"{each}.kind", "") for each in _OTHERS},
    }
    parts = [role for role, kind in kinds.items() if _is_emulated(kind, list(_addresses(info, role)))]
    return info.model_copy(update={"emulated": parts})


def check(stacks: Sequence[StackInfo], *, allowed: bool) -> None:
    """Refuse emulators.

    Raises:
        ConfigurationError: There is one, and they aren't allowed.
    """
    for stack in stacks:
        if stack.emulated and not allowed:
            raise ConfigurationError(
                f"the stack {stack.name!r} has an emulator for {' and '.join(stack.emulated)}, whose figures "
                "say nothing of the service",
                hint="--allow-emulators measures it all the same, and labels it",
            )


def _addresses(info: StackInfo, role: str) -> Iterator[str]:
    """The addresses in the settings of a role; a store's keys have no role before them."""
    for key, value in info.settings.items():
        of = key.partition(".")[0] if key.partition(".")[0] in _OTHERS else "store"
        if of == role and ("://" in value or key.endswith(_KEYS)):
            yield value if "://" in value else f"//{value}"


def _is_emulated(kind: str, addresses: Sequence[str]) -> bool:
    if kind in _SERVICES:
        return any(_is_private(urlsplit(address).hostname or "") for address in addresses)
    return any(_says_so(address) for address in addresses if _is_private(urlsplit(address).hostname or ""))


def _is_private(host: str) -> bool:
    """Whether it is this machine or one of a private network, where no vendor's service is."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _says_so(address: str) -> bool:
    """Whether the server calls itself an imitation."""
    try:
        answer = httpx.get(
            address.replace("//", "http://", 1) if address.startswith("//") else address,
            timeout=_ASKING,
            trust_env=False,
        )
        return bool(answer.json().get("title") == _IMITATION)
    except (httpx.HTTPError, ValueError, AttributeError):
        return False  # it speaks something else, so it isn't ours
