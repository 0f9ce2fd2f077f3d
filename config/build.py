"""A stack made of its settings: only here is an adapter, and with it its SDK, imported."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from ..core import registry
from ..core.rates import Rate
from ..core.stack import Stack
from .layers import ROLES
from .settings import Settings, StackSettings
from .tree import Tree
from .values import keywords, located


def build_stack(settings: Settings, name: str | None = None) -> Stack:
    """Make the adapters of a stack, which are not open yet; of the default stack when none is named.

    Raises:
        ConfigurationError: There is no such stack or kind, a package isn't installed, or a key is wrong.
    """
    chosen = settings.stack(name)
    makers = {role: _maker(chosen, role) for role in ROLES}
    with ExitStack() as made:
        adapters: dict[str, Any] = {
            role: made.enter_context(make()) if make else None for role, make in makers.items()
        }
        made.pop_all()
    return Stack(
        name=chosen.name,
        state=chosen.state,
        collection=chosen.collection,
        fields=chosen.fields,
        recipe=chosen.recipe,
        query_cache_mb=chosen.query_cache_mb,
        cache_results=chosen.cache_results,
        levels=chosen.levels,
        workers=settings.ingest.workers,
        rate=settings.rates.get(chosen.kind("embedder") or chosen.kind("store") or "", Rate()),
        understanding_rate=settings.rates.get(chosen.kind("understanding") or "", Rate()),
        **adapters,
    )


def checked_adapter(stack: StackSettings, role: str) -> tuple[Callable[..., Any], dict[str, Any]] | None:
    """What makes an adapter, and its checked arguments; None where the stack has none of the role.

    Raises:
        ConfigurationError: There is no such kind, its package isn't installed (the cause is a
            `ModuleNotFoundError` then), or a key is wrong.
    """
    section, kind = getattr(stack, role), stack.kind(role)
    if kind is None:
        return None
    with located(section.children["kind"].where):
        make = registry.load(role, kind)
    keys = {name: node for name, node in section.children.items() if name != "kind"}
    return make, keywords(make, Tree(section.path, section.origin, keys))


def _maker(stack: StackSettings, role: str) -> Callable[[], Any] | None:
    """The call that makes an adapter; None where the stack has none of the role."""
    checked = checked_adapter(stack, role)
    if checked is None:
        return None
    make, arguments = checked

    def call() -> Any:
        with located(getattr(stack, role).section):
            return make(**arguments)

    return call
