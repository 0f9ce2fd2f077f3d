"""Opening a collection by an API key alone, which reads rows, but not what the collection says of itself."""

from __future__ import annotations

from ...core.errors import ConfigurationError, IntegrityError, NotFoundError, RejectedError, UnsupportedError
from ...core.space import CollectionMeta, CollectionSpec
from . import rows
from .data import Asked, Data

_BOTH = "open it with access_key and secret_key"


def by_key(data: Data, spec: CollectionSpec) -> CollectionMeta | None:
    """What a row tells of its collection (`rows.origin`); None where there is no collection.

    The types of declared fields are believed: only their names can be seen.

    Raises:
        ConfigurationError: It has another space, or other fields than are declared.
        IntegrityError: Another program made it, or an older version of this one.
        UnsupportedError: It is empty.
    """
    try:
        reply = data.search_random(Asked(limit=1, output_fields=[rows.ORIGIN, *rows.readable(spec.fields)]))
        every = data.search_random(Asked(limit=1))
    except NotFoundError:
        return None
    except RejectedError as error:
        raise ConfigurationError(
            f"the collection {spec.name!r} lacks a column that the stack needs: {error.message}", hint=_BOTH
        ) from error
    shown = [one for answer in (reply, every) for one in answer.result.get("data") or ()]
    found = [one.get("fields") or {} for one in shown]
    if not found:
        raise UnsupportedError(
            f"the collection {spec.name!r} is empty, of which an API key alone can read nothing", hint=_BOTH
        )
    if more := sorted(set().union(*(rows.undeclared(columns, spec.fields) for columns in found))):
        raise ConfigurationError(
            f"the collection {spec.name!r} has the fields {', '.join(more)}, which the stack doesn't declare",
            hint=f"declare them, or {_BOTH}",
        )
    uid, _, _ = str(found[0].get(rows.ORIGIN, "")).partition(" ")
    if not uid:
        raise IntegrityError(f"the collection {spec.name!r} of VikingDB wasn't made by polyreel", hint=_BOTH)
    meta = CollectionMeta(uid, spec)
    if found[0][rows.ORIGIN] != rows.origin(meta):
        raise ConfigurationError(
            f"the collection {spec.name!r} was made for another embedder, model, dimension or content",
            hint=f"choose the stack that made it; to see what differs, {_BOTH}",
        )
    return meta
