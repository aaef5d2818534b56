"""Files and topics as policies see them: of the many above one that is asked about, only those that a policy names.

Cedar compares entities and walks their hierarchy; it cannot read an id, and these entities have no attributes. So one
that no policy names and that is not itself asked about decides nothing, as long as what is above it stays above what is
below it. Cedar takes some ten microseconds to read an entity, which is most of what a decision costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.policy.sets.slices import Key, Parents, above, parents_of

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from remit.policy.deciding.requests import Request

__all__ = ["PLACES", "visible"]

PLACES = frozenset({"Remit::Path", "Remit::Topic"})
"""Types of which there are many. Their entities have no attributes, and are nobody's attribute."""


def visible(request: Request, named: AbstractSet[Key] | None) -> tuple[list[dict[str, Any]], Parents | None]:
    """The entities of a request that can matter, and the direct parents of each.

    Where they are not written as the kernel writes them, all of them matter: Cedar is to find what is wrong.

    :param named: every entity that a policy names; ``None`` where that is not known
    """
    entities, parents = request.entities, parents_of(request.entities)
    if named is None or parents is None or len(parents) != len(entities) or not _is_plain(parents):
        return entities, parents
    asked = f"Remit::{request.resource.type}", request.resource.id
    hidden = {
        key for key, entity in zip(parents, entities, strict=True)
        if key[0] in PLACES and key not in named and key != asked and _is_bare(entity)
    }  # fmt: skip
    if not hidden:
        return entities, parents
    shown: list[dict[str, Any]] = []
    ups: Parents = {}
    for key, entity in zip(parents, entities, strict=True):
        if key not in hidden:
            direct = parents[key]
            if not hidden.isdisjoint(direct):
                direct = tuple(one for one in above(key, parents)[1:] if one not in hidden)
                entity = entity | {"parents": [{"type": kind, "id": name} for kind, name in direct]}  # noqa: PLW2901
            ups[key] = direct
            shown.append(entity)
    return shown, ups


def _is_plain(parents: Parents) -> bool:
    """Whether each place is above nothing but places with longer names: then no circle leads through one."""
    return all(
        one[0] not in PLACES or (one[0] == kind and len(one[1]) < len(name))
        for (kind, name), direct in parents.items()
        for one in direct
    )


def _is_bare(entity: dict[str, Any]) -> bool:
    return not entity["attrs"] and entity.keys() == {"uid", "attrs", "parents"}
