"""Working sets of groups: what differs from working sets of coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._columns import column_gram
from ._group_coordinates import GroupCoordinates
from ._group_models import Blocks, GroupColumns, GroupGram, GroupModel, GroupRows
from ._working_set_method import WorkingSet

Array = np.ndarray[Any, Any]

_SWEEPS = 12.0  # sweeps that a model is likely to take, until more were seen
_BLAS = 4.0  # how much more arithmetic a matrix product does in the same time than a sweep


class GroupWorkingSet(WorkingSet):
    """The method for a penalty of groups; a unit of the working set is a group."""

    first_size = 40
    takes_columns = True

    def aim(self, penalty: Any) -> None:
        """Take on a penalty."""
        super().aim(penalty)
        if len(self.loss.shape) > 1 and not self.loss.is_quadratic:
            raise TypeError(f"loss must be least squares for several tasks, got {self.loss!r}")
        self.accuracy = 0.03
        known: Blocks | None = getattr(self, "blocks", None)
        reuse = known is not None and known.fit(self.coordinates)
        self.blocks: Any = known if reuse else Blocks(self.coordinates)

    def _coordinates(self, penalty: Any, n: int) -> Any:
        return GroupCoordinates(penalty, n)

    def _room(self, size: int) -> int:
        return max(self.first_size, size)

    def _model(
        self, working: Array, x: Array, u: Array, curvature: Array | None, gradient: Array
    ) -> Any:
        """The quadratic model at a point with the gradient ``u`` in the predictions."""
        units = self.coordinates.units(working)
        if not self.loss.is_quadratic:
            self.blocks.known[:] = False
        if curvature is not None:
            curvature = curvature.reshape(-1)
        build = self._columns if self.design.sparse else self._dense
        return build(units, working, x, u, curvature, gradient)

    def _dense(
        self, units: Array, working: Array, x: Array, u: Array, curvature: Any, gradient: Array
    ) -> GroupModel:
        design, p, k = self.design, working.size, x[0].size
        square = float(np.sum(u * u if curvature is None else (u.T * u.T) / curvature))
        sweeps = k * max(_SWEEPS, float(self.sweeps))
        if p * (sweeps + design.m / _BLAS) < 2.3 * design.m * sweeps:  # half of the groups move
            H = np.ascontiguousarray(design.gram(curvature, self.loss.intercept))
            self._decompose(units, lambda at: H[at[:, :, None], at[:, None, :]])
            g = np.ascontiguousarray(gradient.reshape(p, -1).T)
            return GroupGram(H, g, x, *self._parts(units, working)).start(square)
        rows = design.rows(curvature, self.loss.intercept)

        def grams(at: Array) -> Array:
            part = rows[at]
            product: Array = part @ part.transpose(0, 2, 1)
            return product

        self._decompose(units, grams)
        u = u.reshape(design.m, -1).T
        u = np.array(u if curvature is None else u / np.sqrt(curvature), order="C")
        return GroupRows(rows, u, x, *self._parts(units, working))

    def _columns(
        self, units: Array, working: Array, x: Array, u: Array, curvature: Any, _gradient: Array
    ) -> GroupModel:
        root = np.ones(self.design.m) if curvature is None else np.sqrt(curvature)
        columns, _, mean = self.design.scaled_columns(working, root, self.loss.intercept)

        def grams(at: Array) -> Array:
            result = np.stack([column_gram(columns, inside, root.size) for inside in at])
            centres = mean[at]
            return result - (root @ root) * centres[:, :, None] * centres[:, None, :]

        self._decompose(units, grams)
        u = np.array(u.reshape(root.size, -1).T / root, order="C")
        storage = (*columns, root, mean, u @ root)
        return GroupColumns(storage, u, x, *self._parts(units, working))

    def _parts(self, units: Array, working: Array) -> tuple[Any, ...]:
        blocks = self.blocks.of(units, self.coordinates.l1[working])
        return units, self.coordinates, blocks, self.has_gap

    def _decompose(self, units: Array, grams: Any) -> None:
        """Eigenvectors of the groups that have none yet, all of a size together."""
        sizes = self.coordinates.sizes[units]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        missing = ~self.blocks.known[units]
        for d in np.unique(sizes[missing]):
            chosen = missing & (sizes == d)
            self.blocks.store(units[chosen], grams(starts[chosen][:, None] + np.arange(d)))
