"""Linear operators that SciPy lacks: transforms, differences, convolution, sampling.

Each is a `scipy.sparse.linalg.LinearOperator`, so ``A @ x``, ``A.matvec`` and every solver of
SciPy take it, on flat vectors ``(n,)`` or columns ``(n, k)``. Each also knows the shapes it maps
between: ``A(x)`` applies it, and ``A.H(y)`` its adjoint, to arrays of shape
``(..., *in_shape)`` and ``(..., *out_shape)``, where leading axes are a batch. ``A @ B``, ``A.H``,
``A.T`` and ``2 * A`` keep the shapes and the bound ``norm_bound`` on the spectral norm.
"""

from typing import TYPE_CHECKING

from .._core._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_check_adjoint": ["check_adjoint"],
        "_algebra": ["compose"],
        "_base": ["Operator"],
        "_convolution": ["Convolution"],
        "_dct": ["DCT"],
        "_diagonal": ["Diagonal"],
        "_difference": ["FiniteDifference"],
        "_fft": ["FFT"],
        "_mask": ["Mask"],
        "_norm": ["NormEstimate", "operator_norm"],
        "_stationary": ["StationaryWavelet"],
        "_wavelet": ["Wavelet"],
    },
)

if TYPE_CHECKING:
    from ._algebra import compose as compose
    from ._base import Operator as Operator
    from ._check_adjoint import check_adjoint as check_adjoint
    from ._convolution import Convolution as Convolution
    from ._dct import DCT as DCT
    from ._diagonal import Diagonal as Diagonal
    from ._difference import FiniteDifference as FiniteDifference
    from ._fft import FFT as FFT
    from ._mask import Mask as Mask
    from ._norm import NormEstimate as NormEstimate
    from ._norm import operator_norm as operator_norm
    from ._stationary import StationaryWavelet as StationaryWavelet
    from ._wavelet import Wavelet as Wavelet
