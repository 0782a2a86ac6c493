"""Where the nodes of a graph go on a page: in layers, an edge always from a layer to one below it.

After K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical system structures, IEEE
Transactions on Systems, Man and Cybernetics 11 (1981): layers by the longest path, edges across several layers bent at
a place of their own in each, the order within a layer by the mean of the neighbours, then coordinates.
"""
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

GAP, LAYER, HEIGHT = 26.0, 84.0, 44.0                     # between nodes, from layer to layer, of a node: pixels
SWEEPS = 12


Edge = tuple[Hashable, Hashable]
Rows = list[list[Hashable]]
Neighbours = dict[Hashable, list[Hashable]]


class Layout(NamedTuple):
    """centre: node -> (x, y). bends: (from, to) -> the points that an edge passes, its ends included. size: (w, h)."""
    centre: dict[Hashable, tuple[float, float]]
    bends: dict[Edge, list[tuple[float, float]]]
    size: tuple[float, float]


def layered(nodes: Sequence[Hashable], edges: Sequence[Edge],
            width: dict[Hashable, float]) -> Layout:
    """A Layout. nodes: such that every edge leads from an earlier to a later one. width: of each node, in pixels."""
    layer = _layers(nodes, edges)
    rows: Rows = [[] for _ in range(max(layer.values()) + 1)]
    for node in nodes:
        rows[layer[node]].append(node)
    chains: dict[Edge, list[Any]] = {}
    width = dict(width)
    for edge in dict.fromkeys(edges):                     # each once, although an op may take one argument twice
        a, b = edge
        chain = [a, *[("bend", edge, row) for row in range(layer[a] + 1, layer[b])], b]
        for row, bend in enumerate(chain[1:-1], layer[a] + 1):
            rows[row].append(bend)
            width[bend] = 6.0
        chains[edge] = chain
    above: Neighbours = {node: [] for row in rows for node in row}
    below: Neighbours = {node: [] for row in rows for node in row}
    for chain in chains.values():
        for a, b in zip(chain, chain[1:]):
            above[b].append(a)
            below[a].append(b)
    _order(rows, above, below)
    x = _places(rows, above, below, width)
    left = min(x[node] - width[node] / 2 for node in x) - GAP
    centre = {node: (x[node] - left, LAYER * i + HEIGHT) for i, row in enumerate(rows) for node in row}
    right = max(centre[node][0] + width[node] / 2 for node in centre) + GAP
    bends = {edge: [centre[node] for node in chain] for edge, chain in chains.items()}
    return Layout(centre, bends, (right, LAYER * (len(rows) - 1) + 2 * HEIGHT))


def _layers(nodes: Sequence[Hashable], edges: Sequence[Edge]) -> dict[Hashable, int]:
    """The longest path from a beginning; beginnings stand just above the first node that they lead to."""
    came: Neighbours = {node: [] for node in nodes}
    leads: Neighbours = {node: [] for node in nodes}
    for a, b in edges:
        came[b].append(a)
        leads[a].append(b)
    layer: dict[Hashable, int] = {}
    for node in nodes:
        layer[node] = 1 + max((layer[a] for a in came[node]), default=-1)
    for node in nodes:
        if not came[node] and leads[node]:
            layer[node] = min(layer[b] for b in leads[node]) - 1
    return layer


def _order(rows: Rows, above: Neighbours, below: Neighbours) -> None:
    """Sort each row by the mean place of its neighbours in the row before, downwards and upwards in turn; the order
    with the fewest crossings is kept."""
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        near, path = (above, range(1, len(rows))) if sweep % 2 == 0 else (below, range(len(rows) - 2, -1, -1))
        for i in path:
            other = rows[i - 1] if sweep % 2 == 0 else rows[i + 1]
            place = {node: k for k, node in enumerate(other)}
            own = {node: k for k, node in enumerate(rows[i])}
            wished = {node: float(np.mean([place[a] for a in near[node]] or [own[node]])) for node in rows[i]}
            rows[i].sort(key=wished.__getitem__)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _crossings(rows: Rows, below: Neighbours) -> int:
    """How many pairs of edges between neighbouring rows cross."""
    total = 0
    for row, under in zip(rows, rows[1:]):
        place = {node: k for k, node in enumerate(under)}
        ends = [k for node in row for k in sorted(place[b] for b in below[node])]
        total += sum(ends[i] > ends[j] for i in range(len(ends)) for j in range(i + 1, len(ends)))
    return total


def _places(rows: Rows, above: Neighbours, below: Neighbours, width: dict[Hashable, float]) -> dict[Hashable, float]:
    """x of every node: near the mean of its neighbours, in the row's order, GAP apart."""
    x: dict[Hashable, float] = {}
    for row in rows:
        for node, at in zip(row, _offsets(row, width)):
            x[node] = at
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wished = [np.mean([x[a] for a in above[node] + below[node]] or [x[node]]) for node in row]
            offset = _offsets(row, width)
            moved = _nondecreasing(np.array(wished) - offset) + offset
            x.update(zip(row, moved.tolist()))
    return x


def _offsets(row: list[Hashable], width: dict[Hashable, float]) -> np.ndarray:
    """How far from the first node of a row the others lie at least."""
    widths = np.array([width[node] for node in row])
    return np.concatenate([[0.0], np.cumsum((widths[1:] + widths[:-1]) / 2 + GAP)])


def _nondecreasing(wished: np.ndarray) -> np.ndarray:
    """The sequence that never falls nearest to `wished` in least squares: neighbours that fall are pooled."""
    pools: list[tuple[float, int]] = []
    for value in wished.tolist():
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.concatenate([np.full(n, value) for value, n in pools])
