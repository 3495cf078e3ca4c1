"""A network's calls as a tree by module path, in order of execution, and searching in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from viewer.translation import tr

SILENT = tr("Never called")
INSIDE = tr("Its work is done inside another module's function, so there is no value to look at.")


@dataclass
class Node:
    """A row: a module, a call, or both.

    `call` is the row in the list of calls, -1 for none; `own` says that it is one of several calls of its parent.
    `shown` are the children that match a search, `row` is the position among them.
    """

    name: str
    path: str
    number: int
    parent: Node | None = None
    call: int = -1
    own: bool = False
    silent: bool = False
    children: list[Node] = field(default_factory=list)
    row: int = 0
    shown: list[Node] = field(default_factory=list)


def tree(calls: Sequence[Mapping[str, Any]], silent: Sequence[str]) -> list[Node]:
    """Return every node, the root first. A module called once is one row, with the modules inside it below."""
    root = Node("", "", 0)
    nodes = [root]
    by_path = {"": root}

    def add(parent: Node, name: str, path: str, **more: Any) -> Node:
        node = Node(name, path, len(nodes), parent, **more)
        parent.children.append(node)
        nodes.append(node)
        return node

    def module(path: str) -> Node:
        if path not in by_path:
            above, _, last = path.rpartition(".")
            by_path[path] = add(module(above), last, path)
        return by_path[path]

    of: dict[str, list[int]] = {}
    for row, call in enumerate(calls):
        of.setdefault(str(call["module"]), []).append(row)
    for path in of:
        module(path)
    for path, rows in of.items():
        node = by_path[path]
        if len(rows) == 1 and path:
            node.call = rows[0]
            continue
        for row in rows:
            identity = str(calls[row]["id"])
            add(node, _last(path) + (identity.removeprefix(path) or "#1"), identity, call=row, own=True)
    _order(root)
    if silent:
        head = add(root, f"{SILENT} ({len(silent)})", SILENT, silent=True)
        for path in silent:
            add(head, path, path, silent=True)
    find(nodes, "")
    return nodes


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _order(node: Node) -> int:
    """Sort children by their first call, a module's own calls before those inside it; return the first call."""
    first = {id(child): _order(child) for child in node.children}
    node.children.sort(key=lambda child: (not child.own, first[id(child)]))
    own = node.call if node.call >= 0 else 1 << 30
    return min([own, *first.values()])


def find(nodes: Sequence[Node], text: str, kinds: Sequence[str] = ()) -> int:
    """Mark the rows whose path or type matches, with all their ancestors and descendants.

    Return the number of calls found.
    """
    wanted = text.strip().casefold()
    hits: set[int] = set()
    for node in nodes[1:]:  # every node comes after its parent
        above = node.parent.number if node.parent is not None else 0
        if not wanted or above in hits or _matches(node, wanted, kinds):
            hits.add(node.number)
    keep = set(hits)
    for number in hits:
        above = nodes[number].parent
        while above is not None and above.number not in keep:
            keep.add(above.number)
            above = above.parent
    for node in nodes:
        node.shown = [child for child in node.children if child.number in keep]
        for row, child in enumerate(node.shown):
            child.row = row
    return sum(nodes[number].call >= 0 for number in hits)


def _matches(node: Node, wanted: str, kinds: Sequence[str]) -> bool:
    kind = kinds[node.call].casefold() if 0 <= node.call < len(kinds) else ""
    return wanted in node.path.casefold() or wanted in kind
