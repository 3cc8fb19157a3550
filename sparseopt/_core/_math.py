"""The handful of functions a formula may use, in their compiled scalar form.

``_namespace`` holds the same names for arrays of any library.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit

copysign = np.copysign
exp = np.exp
expm1 = np.expm1
log = np.log
log1p = np.log1p
maximum = np.maximum
minimum = np.minimum
sqrt = np.sqrt


@jit
def where(condition, a, b):  # type: ignore[no-untyped-def]
    """Scalar selection; Numba's own ``np.where`` takes no scalars."""
    return a if condition else b
