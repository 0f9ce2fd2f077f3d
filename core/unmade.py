"""Scopes of which a stack makes no records: a search for them is refused, with what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import UnsupportedError
from .proxies import makes_clips, makes_proxy
from .records import Scope

if TYPE_CHECKING:
    from .capabilities import Capabilities
    from .recipe import Recipe
    from .stack import Stack

_WORDS = {Scope.CLIP: "clips", Scope.VIDEO: "whole videos"}
_INSTEAD = {
    Scope.CLIP: 'search with scope="video" (--scope video)',
    Scope.VIDEO: 'search clips with group_by="video" (--group-by video)',
}


def made_where_vectorized(recipe: Recipe) -> tuple[Scope, ...]:
    """The scopes of the records of a store that vectorizes: a whole video has one by its proxy alone."""
    makes = {Scope.CLIP: makes_clips(recipe), Scope.VIDEO: makes_proxy(recipe)}
    return tuple(scope for scope, made in makes.items() if made)


def refusal(stack: Stack, scope: Scope, can: Capabilities) -> UnsupportedError:
    """Why a scope can't be searched for, where neither the collection nor the recipe has any record of it."""
    hints = [_INSTEAD[scope]]
    if keys := _keys(stack, scope, can):
        hints.append(f"or set recipe.{' and recipe.'.join(keys)}, and ingest again")
    return UnsupportedError(
        f"the stack {stack.name!r} has no records of {_WORDS[scope]}, and its recipe makes none",
        hint="; ".join(hints),
    )


def _keys(stack: Stack, scope: Scope, can: Capabilities) -> list[str]:
    """What of the recipe must be added to for such records; nothing where the store can't have them."""
    recipe, channel = stack.recipe, "proxy" if scope is Scope.VIDEO else "fused"
    if stack.embedder is None and scope is Scope.VIDEO and not can.proxies:
        return []
    keys = []
    if scope not in recipe.scopes:
        keys.append(f"scopes = {_quoted(*recipe.scopes, scope)}")
    if stack.embedder is None and channel not in recipe.channels:
        keys.append(f"channels = {_quoted(*recipe.channels, channel)}")
    return keys


def _quoted(*names: str) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
