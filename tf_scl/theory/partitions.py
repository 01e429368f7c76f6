"""How well a graph falls apart: conductance, the sparsest partition, cuts within parts.

HaoChen et al., arXiv 2106.04156, section 3.3. The exact values look at every subset,
so they are for graphs of about a dozen nodes.
"""

import numpy as np

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.typing import Array, ArrayLike

MAX_PARTITION_NODES = 14  # 3^N steps: some seconds
MAX_PART_NODES = 18  # 2^n subsets of each part: some hundred MiB


def conductance(graph: AugmentationGraph, nodes: ArrayLike) -> float:
    """Dirichlet conductance of a set S of nodes: how much of its weight leaves it.

        phi(S) = sum_{x in S, x' not in S} w_xx' / sum_{x in S} w_x

    Args:
        graph: `AugmentationGraph`.
        nodes: Array-like of ints, the numbers of the nodes in S; not empty.

    Returns:
        Float, 0..1. That of a single node is 1 - w_xx / w_x.

    Raises:
        InputError: No nodes, or numbers that the graph does not have.
    """
    nodes = np.unique(nodes)
    if not len(nodes) or nodes.dtype.kind not in "iu" or nodes[0] < 0 or nodes[-1] >= graph.size:
        raise InputError(
            f"`nodes` must be numbers of nodes, 0..{graph.size - 1}, at least one. "
            f"Received: {nodes.tolist()}"
        )
    inside = graph.weights[np.ix_(nodes, nodes)].sum()
    return float(max(1.0 - inside / graph.degrees[nodes].sum(), 0.0))


def partition_conductance(graph: AugmentationGraph, assignment: ArrayLike) -> float:
    """The largest conductance of a partition's parts.

    Args:
        graph: `AugmentationGraph`.
        assignment: Array-like int [N], the part of each node.

    Returns:
        Float, 0..1: 0 where all parts are unions of components.

    Raises:
        InputError: An assignment of another length.
    """
    return max(conductance(graph, part) for part in _parts(graph, assignment))


def sparsest_partition(graph: AugmentationGraph, parts: int) -> tuple[float, Array]:
    """rho_m, the smallest `partition_conductance` of any partition into m parts.

    Exact: the best partition of a set into p parts is the best choice of the part
    that holds its first node, with the best partition of the rest into p - 1.

    Args:
        graph: `AugmentationGraph` of at most `MAX_PARTITION_NODES` nodes.
        parts: Int m, 1..N; none of the parts is empty.

    Returns:
        (rho_m, assignment): float 0..1, and int [N], a partition that has it.

    Raises:
        InputError: A graph too large, or `parts` out of range.
    """
    if graph.size > MAX_PARTITION_NODES:
        raise InputError(
            f"the sparsest partition is sought among all, which takes 3^N steps: a graph may have "
            f"{MAX_PARTITION_NODES} nodes. Received: {graph.size}; give a partition of your own "
            "to `partition_conductance`"
        )
    validation.whole_number("parts", parts, high=graph.size)
    whole = 2**graph.size - 1
    single = _subset_conductances(graph.weights, graph.degrees)
    best = np.full((parts + 1, whole + 1), np.inf)  # by the number of parts and the set
    best[0, 0] = 0.0
    for members in range(1, whole + 1):
        first = _with_first_node(members)
        split = np.maximum(single[first], best[:-1, members ^ first])
        best[1:, members] = split.min(axis=1)
    return float(best[parts, whole]), _retrace(best, single, parts, whole)


def _retrace(best: Array, single: Array, parts: int, members: int) -> Array:
    """The partition behind `best[parts, members]`: int [N]."""
    assignment = np.zeros(members.bit_length(), int)
    for part in range(parts):
        first = _with_first_node(members)
        rest = best[parts - part - 1, members ^ first]
        chosen = int(first[np.argmin(np.maximum(single[first], rest))])
        assignment[[node for node in range(len(assignment)) if chosen >> node & 1]] = part
        members ^= chosen
    return assignment


def inner_conductance(graph: AugmentationGraph, assignment: ArrayLike) -> float:
    """How hard it is to cut any part of a partition once more.

        h = min over parts S, and over T in S with w(T) <= w(S) / 2, of
            sum_{x in T, x' in S - T} w_xx' / sum_{x in T} w_x

    Degrees are those of the whole graph. A part of one node cannot be cut: infinity.

    Args:
        graph: `AugmentationGraph`.
        assignment: Array-like int [N], the part of each node; parts of at most
            `MAX_PART_NODES` nodes.

    Returns:
        Float: 0 where a part is not connected, else positive.

    Raises:
        InputError: An assignment of another length, or a part too large.
    """
    return min(_cut_of_part(graph, part) for part in _parts(graph, assignment))


def _cut_of_part(graph: AugmentationGraph, part: Array) -> float:
    if len(part) > MAX_PART_NODES:
        raise InputError(
            f"all subsets of each part are looked at: a part may have {MAX_PART_NODES} nodes. "
            f"Received: {len(part)}; split it, or give the eigenvalue itself"
        )
    if len(part) == 1:
        return np.inf
    weights, degrees = graph.weights[np.ix_(part, part)], graph.degrees[part]
    members = _members(len(part))
    volume = members @ degrees
    crossing = np.sum((members @ weights) * (1 - members), axis=1)
    small = (volume > 0) & (volume <= volume[-1] / 2 * (1 + 1e-12))
    return float(np.min(crossing[small] / volume[small]))


def _subset_conductances(weights: Array, degrees: Array) -> Array:
    """phi of each subset, float64 [2^N]; bit i of its number says whether node i is in it."""
    members = _members(len(weights))
    volume = members @ degrees
    crossing = np.sum((members @ weights) * (1 - members), axis=1)
    return np.divide(crossing, volume, out=np.full(len(volume), np.inf), where=volume > 0)


def _members(size: int) -> Array:
    """float64 [2^size, size], a row of zeros and ones for each subset."""
    return (np.arange(2**size)[:, None] >> np.arange(size) & 1).astype(np.float64)


def _with_first_node(members: int) -> Array:
    """All subsets of the set `members` that hold its lowest node, as bit masks."""
    lowest = members & -members
    masks = np.array([lowest])
    rest = members ^ lowest
    while rest:
        bit = rest & -rest
        masks = np.concatenate([masks, masks | bit])
        rest ^= bit
    return masks


def _parts(graph: AugmentationGraph, assignment: ArrayLike) -> list[Array]:
    """The nodes of each part."""
    assignment = np.asarray(assignment)
    if assignment.shape != (graph.size,):
        raise InputError(
            f"`assignment` must be [{graph.size}], a part for each node. "
            f"Received: {assignment.shape}"
        )
    return [np.flatnonzero(assignment == part) for part in np.unique(assignment)]
