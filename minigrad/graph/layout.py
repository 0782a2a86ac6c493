"""Where the nodes of a graph go on a page: in layers, an edge always from a layer to one below it.

After K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical system structures, IEEE
Transactions on Systems, Man and Cybernetics 11 (1981): layers by the longest path, edges across several layers bent at
a place of their own in each, the order within a layer by the mean of the neighbours, then coordinates.
"""
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

GAP, LAYER, HEIGHT = 26.0, 84.0, 44.0                     # between nodes, from layer to layer, of a node: pixels
SWEEPS = 12


class Layout(NamedTuple):
    """centre: node -> (x, y). bends: (from, to) -> the points that an edge passes, its ends included. size: (w, h)."""
    centre: dict[Hashable, tuple[float, float]]
    bends: dict[tuple[Hashable, Hashable], list[tuple[float, float]]]
    size: tuple[float, float]


def layered(nodes: Sequence[Hashable], edges: Sequence[tuple[Hashable, Hashable]],
            width: dict[Hashable, float]) -> Layout:
    """A Layout. nodes: such that every edge leads from an earlier to a later one. width: of each node, in pixels."""
    layer = _layers(nodes, edges)
    rows: list[list[Hashable]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in nodes:
        rows[layer[node]].append(node)
    chains, width = {}, dict(width)
    for edge in dict.fromkeys(edges):                     # each once, although an op may take one argument twice
        a, b = edge
        chain = [a, *[("bend", edge, row) for row in range(layer[a] + 1, layer[b])], b]
        for row, bend in enumerate(chain[1:-1], layer[a] + 1):
            rows[row].append(bend)
            width[bend] = 6.0
        chains[edge] = chain
    above: dict[Hashable, list[Hashable]] = {node: [] for row in rows for node in row}
    below: dict[Hashable, list[Hashable]] = {node: [] for row in rows for node in row}
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


def _layers(nodes, edges):
    """The longest path from a beginning; beginnings stand just above the first node that they lead to."""
    came: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    leads: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
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


def _order(rows, above, below):
    """Sort each row by the mean place of its neighbours in the row before, downwards and upwards in turn; the order
    with the fewest crossings is kept."""
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        near, path = (above, range(1, len(rows))) if sweep % 2 == 0 else (below, range(len(rows) - 2, -1, -1))
        for i in path:
            other = rows[i - 1] if sweep % 2 == 0 else rows[i + 1]
            place = {node: k for k, node in enumerate(other)}
            own = {node: k for k, node in enumerate(rows[i])}
            rows[i].sort(key=lambda node, near=near, place=place, own=own:
                         np.mean([place[a] for a in near[node]]) if near[node] else own[node])
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _crossings(rows, below):
    """How many pairs of edges between neighbouring rows cross."""
    total = 0
    for row, under in zip(rows, rows[1:]):
        place = {node: k for k, node in enumerate(under)}
        ends = [k for node in row for k in sorted(place[b] for b in below[node])]
        total += sum(ends[i] > ends[j] for i in range(len(ends)) for j in range(i + 1, len(ends)))
    return total


def _places(rows, above, below, width):
    """x of every node: near the mean of its neighbours, in the row's order, GAP apart."""
    x = {}
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


def _offsets(row, width):
    """How far from the first node of a row the others lie at least."""
    widths = np.array([width[node] for node in row])
    return np.concatenate([[0.0], np.cumsum((widths[1:] + widths[:-1]) / 2 + GAP)])


def _nondecreasing(wished):
    """The sequence that never falls nearest to `wished` in least squares: neighbours that fall are pooled."""
    pools: list[tuple[float, int]] = []
    for value in wished.tolist():
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.concatenate([np.full(n, value) for value, n in pools])
