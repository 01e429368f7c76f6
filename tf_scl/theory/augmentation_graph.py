"""The augmentation graph of a finite world: its weights, its spectrum, its pairs.

Nodes are augmented images x; an edge weighs as much as its two ends are likely to be
the two views of one natural image x̄:

    w_xx' = E_x̄[A(x | x̄) A(x' | x̄)],   w_x = sum_x' w_xx',   sum_xx' w_xx' = 1,
    Ā = D^(-1/2) W D^(-1/2)  with  D = diag(w_x).

HaoChen et al., NeurIPS 2021, arXiv 2106.04156, section 3.1. The paper's graphs are
too large to write down; these have up to some thousands of nodes, so that whatever
the paper proves of graphs can be computed, and what training finds compared with it.
"""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from scipy import linalg
from scipy.sparse import csgraph

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.typing import Array, ArrayLike

_TOLERANCE = 1e-8  # of sums that must be 1, and of symmetry relative to the largest weight


@dataclasses.dataclass(frozen=True, eq=False)
class AugmentationGraph:
    """A graph over N augmented images; its arrays are read-only.

    `AugmentationGraph(weights)` takes any symmetric matrix; `from_kernel` and
    `from_samples` start from natural images, which labels (`tf_scl.theory.bounds`)
    need.

    Attributes:
        weights: float64 [N, N], w_xx'. Given as an array-like of non-negative
            numbers, symmetric; kept divided by their sum.
        joint: float64 [M, N], Pr(x̄, x) of a natural and an augmented image, or None
            where the graph was made from weights alone.
        items: Tuple of what was drawn, node by node, or None without samples.

    Raises:
        InputError: Weights that are no square matrix, not finite, negative or not
            symmetric, or a node without any weight.
    """

    weights: Array
    joint: Array | None = dataclasses.field(default=None, init=False)
    items: tuple[Any, ...] | None = dataclasses.field(default=None, init=False)

    def __post_init__(self) -> None:
        weights = _check_numbers("weights", self.weights)
        if weights.shape[0] != weights.shape[1]:
            raise InputError(
                "`weights` must be a square matrix [N, N], a row for each augmented image. "
                f"Received: {weights.shape}"
            )
        asymmetry = np.abs(weights - weights.T).max()
        if asymmetry > _TOLERANCE * weights.max():
            raise InputError(
                "`weights` must be symmetric, since both views of a pair are drawn alike: "
                f"W and its transpose differ by up to {asymmetry:.3g}; give (W + W.T) / 2"
            )
        weights = (weights + weights.T) / 2
        _check_no_isolated_node(weights.sum(axis=0))
        self._keep(weights=weights / weights.sum())

    @classmethod
    def from_kernel(
        cls, kernel: ArrayLike, natural: ArrayLike | None = None
    ) -> "AugmentationGraph":
        """The graph of a data set of M images and a known augmentation.

        Args:
            kernel: Array-like [M, N], A(x | x̄): a row for each natural image, which
                sums to 1.
            natural: Array-like [M], probabilities of the natural images; all equal
                where it is None.

        Returns:
            `AugmentationGraph`. Its adjacency matrix is positive semi-definite, as
            those of the paper are.

        Raises:
            InputError: Values that are no probabilities, rows that do not sum to 1,
                sizes that do not match, or an augmented image that is never drawn.
        """
        kernel = _check_numbers("kernel", kernel)
        _check_sums("each row of `kernel`", kernel.sum(axis=1))
        natural = np.full(len(kernel), 1 / len(kernel)) if natural is None else natural
        natural = _check_numbers("natural", natural, ndim=1)
        if natural.shape != kernel.shape[:1] or not natural.all():
            raise InputError(
                f"`natural` must be {len(kernel)} positive numbers, one for each row of "
                f"`kernel`. Received: {natural.shape}, {np.count_nonzero(natural == 0)} of them "
                "0; leave out images that never occur"
            )
        _check_sums("`natural`", natural.sum(keepdims=True))
        joint = natural[:, None] * kernel
        graph = cls(joint.T @ kernel)
        graph._keep(joint=joint / joint.sum())
        return graph

    @classmethod
    def from_samples(
        cls,
        images: Sequence[Any] | Array,
        augment: Callable[[Any, np.random.Generator], Any],
        draws: int,
        rng: np.random.Generator,
    ) -> "AugmentationGraph":
        """The graph of a small data set, by drawing each image's augmentations.

        The kernel is that of the draws, a share of `draws` each: the graph is exactly
        that of a world whose augmentation picks one of these draws, and an estimate
        of the augmentation's own. Images are connected where draws collide, so the
        augmentation must be discrete and coarse enough.

        Args:
            images: Sequence of M natural images, whatever `augment` takes.
            augment: Function (image, rng) -> an augmented image: an array, or
                anything hashable.
            draws: Int >= 1, how often each image is augmented.
            rng: `numpy.random.Generator`.

        Returns:
            `AugmentationGraph`, with a node for each distinct augmented image, in the
            order in which they came; `items` holds them.

        Raises:
            InputError: No images, or `draws` below 1.
        """
        validation.whole_number("draws", draws)
        if not len(images):
            raise InputError("sampling needs at least one image. Received: 0 images")
        nodes: dict[Hashable, int] = {}
        items: list[Any] = []
        seen: list[tuple[int, int]] = []  # (image, node)
        for number, image in enumerate(images):
            for _ in range(draws):
                item = augment(image, rng)
                node = nodes.setdefault(_key(item), len(nodes))
                if node == len(items):
                    items.append(item)
                seen.append((number, node))
        counts = np.zeros((len(images), len(nodes)))
        np.add.at(counts, tuple(np.transpose(seen)), 1.0)
        graph = cls.from_kernel(counts / draws)
        graph._keep(items=tuple(items))
        return graph

    @property
    def size(self) -> int:
        """N, the number of augmented images."""
        return len(self.weights)

    @functools.cached_property
    def degrees(self) -> Array:
        """w_x, the probability of each augmented image: float64 [N]."""
        return _frozen(self.weights.sum(axis=1))

    @functools.cached_property
    def normalized_adjacency(self) -> Array:
        """Ā = D^(-1/2) W D^(-1/2): float64 [N, N], eigenvalues in [-1, 1]."""
        root = np.sqrt(self.degrees)
        return _frozen(self.weights / np.outer(root, root))

    @property
    def laplacian(self) -> Array:
        """I - Ā, the normalized Laplacian: float64 [N, N], eigenvalues in [0, 2]."""
        return np.eye(self.size) - self.normalized_adjacency

    @functools.cached_property
    def eigenpairs(self) -> tuple[Array, Array]:
        """Eigenvalues of Ā, largest first, float64 [N], and their vectors as columns [N, N].

        Each vector's largest component is positive, so that pictures do not flip. The
        Laplacian has the same vectors, with 1 - value.
        """
        values, vectors = linalg.eigh(self.normalized_adjacency)
        values, vectors = values[::-1], vectors[:, ::-1]
        largest = np.argmax(np.abs(vectors), axis=0)
        signs = np.sign(vectors[largest, np.arange(self.size)])
        return _frozen(values), _frozen(vectors * signs)

    @functools.cached_property
    def components(self) -> Array:
        """The connected component of each node: int [N], numbered from 0."""
        return _frozen(csgraph.connected_components(self.weights > 0, directed=False)[1])

    def sample_pairs(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draws positive pairs, (x, x') with probability w_xx'.

        Args:
            n: Int >= 0.
            rng: `numpy.random.Generator`.

        Returns:
            (x, x'): int64 [n] each, numbers of nodes.
        """
        pairs = np.searchsorted(self._cumulative, rng.random(n), side="right")
        return np.divmod(pairs, self.size)

    @functools.cached_property
    def _cumulative(self) -> Array:
        """Sums of the weights in reading order; the last is 1 whatever rounding did."""
        sums = np.cumsum(self.weights)
        return sums / sums[-1]

    def _keep(self, **values: Any) -> None:
        """Sets attributes of a frozen instance that is being made."""
        for name, value in values.items():
            kept = _frozen(value) if isinstance(value, np.ndarray) else value
            object.__setattr__(self, name, kept)


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _key(item: Any) -> Hashable:
    """Something hashable that is equal for equal items."""
    if isinstance(item, np.ndarray):
        return item.shape, item.dtype.str, item.tobytes()
    return item


def _check_numbers(name: str, values: ArrayLike, ndim: int = 2) -> Array:
    """Finite, non-negative float64 numbers, as many dimensions as asked for."""
    values = np.array(values, np.float64)  # a copy, for it will be frozen
    if values.ndim != ndim or not values.size:
        shape = "a vector" if ndim == 1 else "a matrix"
        raise InputError(f"`{name}` must be {shape}, not empty. Received: shape {values.shape}")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        where = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise InputError(
            f"`{name}` must be finite and not negative. Received: {values[where]} at "
            f"{where}, one of {np.count_nonzero(wrong)}"
        )
    return values


def _check_sums(name: str, sums: Array) -> None:
    if np.abs(sums - 1).max() > _TOLERANCE:
        worst = sums[np.argmax(np.abs(sums - 1))]
        raise InputError(f"{name} must sum to 1. Received: {worst:.9g}; divide by the sum")


def _check_no_isolated_node(degrees: Array) -> None:
    isolated = np.flatnonzero(degrees == 0)
    if len(isolated):
        raise InputError(
            f"{len(isolated)} of {len(degrees)} augmented images are never drawn, the first is "
            f"number {isolated[0]}: it has no weight at all, not even to itself; leave it out"
        )
