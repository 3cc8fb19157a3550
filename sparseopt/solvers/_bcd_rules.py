"""Which blocks, rules and updates go together, and what ``"auto"`` means."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .._core._validate import choice
from ._bcd_oracle import count_subsets
from ._bcd_partitions import KINDS, block_partition, clipped_size, graph_of
from ._bcd_select import COMPOSITE, RULES, SMOOTH, UNGUIDED, Layout
from ._bcd_terms import Term
from ._bcd_update import ALIASES, UPDATES

Array = np.ndarray[Any, Any]

LARGEST_INVERSES = 2**26  # numbers in the inverses that GSQ keeps of fixed blocks


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The blocks, the rule and the update of a run."""

    layout: Layout
    name: str
    select: str
    update: str

    @property
    def method(self) -> str:
        """In words, for the result."""
        return f"bcd({self.name}, {self.select}, {self.update})"


def make_plan(
    loss: Any, term: Term, blocks: Any, size: int, select: str, update: str, rng: Any
) -> Plan:
    """Resolve ``"auto"`` and refuse what does not go together."""
    choice("select", select, ("auto", *RULES))
    choice("update", update, ("auto", *UPDATES))
    if isinstance(blocks, str):
        choice("blocks", blocks, ("auto", "variable", *KINDS))
    name = blocks if isinstance(blocks, str) else "user"
    if term.has_groups:
        if name != "auto":
            raise ValueError(f"blocks must be 'auto' with GroupL2: its groups, got {blocks!r}")
        name, blocks = "groups", _groups(term)
    elif name == "auto":
        name = blocks = "variable"
    on_graph = name in ("red-black", "forest")
    if update == "auto":
        update = "message-passing" if on_graph and term.is_zero else "newton"
    if select == "auto":
        select = _default_rule(term, name, update)
    _check_update(loss, term, name, update)
    _check_rule(term, name, select, update)
    bounds = np.asarray(loss.coordinate_bounds())
    if name == "variable":
        forest = update == "message-passing"
        layout = Layout(None, bounds.size if forest else clipped_size(size, bounds.size), forest)
        if select == "mi":
            count_subsets(int(np.sum(bounds > 0)), layout.size)
    else:
        layout = Layout(block_partition(loss, blocks, size, rng=rng), size)
        if select == "gsq" and sum(b.size**2 for b in layout.blocks or []) > LARGEST_INVERSES:
            raise ValueError("select='gsq' must not be used with fixed blocks as large as these")
    return Plan(layout, name, select, ALIASES.get(update, update))


def _default_rule(term: Term, name: str, update: str) -> str:
    if not term.is_zero:
        return "gs-q"
    return "gsd" if name in ("red-black", "forest") or update == "message-passing" else "gsq"


def _groups(term: Term) -> list[Array]:
    assert term.labels is not None
    order = np.argsort(term.labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(term.labels[order])) + 1) if order.size else []


def _check_update(loss: Any, term: Term, name: str, update: str) -> None:
    if update == "two-metric" and not (term.has_l1 or term.has_bounds):
        raise ValueError("update='two-metric' needs a penalty with an l1 norm or bounds")
    if update == "projected-newton" and (term.has_l1 or not term.has_bounds):
        raise ValueError("update='projected-newton' needs bounds and no l1 norm")
    if update == "cubic" and not term.is_zero:
        raise ValueError("update='cubic' takes no penalty: use 'newton'")
    if update == "cubic":
        loss.third_order(np.zeros(1, np.intp))  # a loss without a bound on it says so
    if update == "message-passing":
        graph_of(loss, "message-passing")
        if not term.is_zero:
            raise ValueError("update='message-passing' takes no penalty: the system is linear")
        if name not in ("variable", "red-black", "forest", "user"):
            raise ValueError(
                "update='message-passing' needs blocks without cycles: 'variable', 'red-black', "
                f"'forest' or your own, got {name!r}"
            )


def _check_rule(term: Term, name: str, select: str, update: str) -> None:
    if select in SMOOTH and not term.is_zero:
        raise ValueError(f"select={select!r} takes no penalty: use one of {list(COMPOSITE)}")
    if term.has_groups and select not in (*UNGUIDED, "gs-q", "mi"):
        raise ValueError(f"select={select!r} does not know groups: use 'gs-q'")
    if select in ("gsq", "mi") and name == "variable" and update == "message-passing":
        raise ValueError(f"select={select!r} does not choose forests: use 'gs', 'gsl' or 'gsd'")
