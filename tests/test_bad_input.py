"""Bad input at the doors of losses, penalties and solvers: each error names the argument."""

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import sparseopt as so
from sparseopt import losses, penalties, solvers
from sparseopt.losses import LeastSquares

A = np.random.default_rng(0).standard_normal((4, 6))
Y = A[:, 0]
LOSS = LeastSquares(A, Y)
L1 = penalties.L1(0.1)
NAN = np.array([[1.0, np.nan], [0.0, 1.0]])


class NoGradient:
    """A loss that lacks what the solver needs."""

    shape = (6,)
    dtype = np.dtype(float)

    def value_at(self, z):
        return 0.0


class NoProx:
    """A penalty without a prox."""

    def value(self, x):
        return 0.0


LOSSES = [
    ("A NaN", lambda: LeastSquares(NAN, [1.0, 1.0]), ValueError, "^A must be finite"),
    ("A inf", lambda: LeastSquares([[np.inf]], [1.0]), ValueError, "^A must be finite"),
    ("A sparse NaN", lambda: LeastSquares(csr_array(NAN), [1.0, 1.0]), ValueError, "^A must be"),
    ("A csc NaN", lambda: LeastSquares(csc_array(NAN), [1.0, 1.0]), ValueError, "^A must be"),
    ("A 1-D", lambda: LeastSquares([1.0, 2.0], [1.0]), ValueError, "^A must have 2 dim"),
    ("A 3-D", lambda: LeastSquares(np.ones((1, 1, 1)), [1.0]), ValueError, "^A must have 2 dim"),
    ("A text", lambda: LeastSquares([["a"]], [1.0]), TypeError, "^A must be"),
    ("A None", lambda: LeastSquares(None, [1.0]), TypeError, "^A must be"),
    ("y short", lambda: LeastSquares(A, Y[:3]), ValueError, "^y must have 4 rows"),
    ("y row", lambda: LeastSquares(A, Y[None]), ValueError, "^y must have 4 rows"),
    ("y sparse", lambda: LeastSquares(aslinearoperator(A), Y[:3]), ValueError, "^y must have 4"),
    ("y NaN", lambda: LeastSquares(A, [1, 2, np.nan, 3]), ValueError, "^y must be finite"),
    ("y 0-D", lambda: LeastSquares(A, 1.0), ValueError, "^y must have"),
    ("y 3-D", lambda: LeastSquares(A, np.ones((4, 1, 1))), ValueError, "^y must have"),
    ("y text", lambda: LeastSquares(A, ["a"] * 4), TypeError, "^y must be"),
    ("w short", lambda: LeastSquares(A, Y, sample_weights=[1, 1]), ValueError, "^sample_weights"),
    ("w neg", lambda: LeastSquares(A, Y, sample_weights=-(Y**2)), ValueError, "^sample_weights"),
    ("w NaN", lambda: LeastSquares(A, Y, sample_weights=[np.nan] * 4), ValueError, "^sample_w"),
    ("w inf", lambda: LeastSquares(A, Y, sample_weights=[np.inf] * 4), ValueError, "^sample_w"),
    ("w scalar", lambda: LeastSquares(A, Y, sample_weights=2.0), ValueError, "^sample_weights"),
    ("w text", lambda: LeastSquares(A, Y, sample_weights="balanced"), TypeError, "^sample_w"),
]

PENALTIES = [
    ("L1 neg", lambda: penalties.L1(-1), ValueError, "^lam must be >= 0"),
    ("L1 NaN", lambda: penalties.L1(np.nan), ValueError, "^lam must not contain NaN"),
    ("L1 array", lambda: penalties.L1([1, -2]), ValueError, "^lam must be >= 0"),
    ("L1 text", lambda: penalties.L1("0.1"), TypeError, "^lam must be real"),
    ("L1 complex", lambda: penalties.L1(1j), TypeError, "^lam must be real"),
    ("L1 None", lambda: penalties.L1(None), TypeError, "^lam must be real"),
    ("EN lam", lambda: penalties.ElasticNet(-1, 1), ValueError, "^lam"),
    ("EN mu", lambda: penalties.ElasticNet(1, 0), ValueError, "^mu must be > 0"),
    ("L0", lambda: penalties.L0(-1), ValueError, "^lam"),
    ("Lq lam", lambda: penalties.Lq(-1, 0.5), ValueError, "^lam"),
    ("Lq q", lambda: penalties.Lq(1, 1.5), ValueError, "^q must be"),
    ("Lq q neg", lambda: penalties.Lq(1, -0.5), ValueError, "^q must be"),
    ("MCP lam", lambda: penalties.MCP(-1, 2), ValueError, "^lam"),
    ("MCP gamma", lambda: penalties.MCP(1, 0), ValueError, "^gamma must be > 0"),
    ("group lam", lambda: penalties.GroupL2(-1, [0]), ValueError, "^lam"),
    ("group lam array", lambda: penalties.GroupL2([1.0, 1.0], [0, 1]), ValueError, "^lam"),
    ("group twice", lambda: penalties.GroupL2(1, [[0, 1], [1, 2]]), ValueError, "^groups"),
    ("group never", lambda: penalties.GroupL2(1, [[0], [2, 2]]), ValueError, "^groups"),
    ("group neg", lambda: penalties.GroupL2(1, [0, -1]), ValueError, "^groups"),
    ("group float", lambda: penalties.GroupL2(1, [0.0, 1.0]), TypeError, "^groups"),
    ("group None", lambda: penalties.GroupL2(1, None), TypeError, "^groups"),
    ("group scalar", lambda: penalties.GroupL2(1, 3), ValueError, "^groups"),
    ("weights", lambda: penalties.GroupL2(1, [0, 1], [1]), ValueError, "^weights"),
    ("weights neg", lambda: penalties.GroupL2(1, [0, 1], [1, -1]), ValueError, "^weights"),
    ("weights name", lambda: penalties.GroupL2(1, [0, 1], "n"), ValueError, "^weights"),
    ("radius", lambda: penalties.Simplex(0), ValueError, "^radius"),
    ("radius inf", lambda: penalties.Simplex(np.inf), ValueError, "^radius"),
    ("radius text", lambda: penalties.Simplex("1"), TypeError, "^radius"),
    ("k neg", lambda: penalties.KSparse(-1), ValueError, "^k must be"),
    ("k float", lambda: penalties.KSparse(2.0), TypeError, "^k must be an integer"),
    ("k bool", lambda: penalties.KSparse(True), TypeError, "^k must be an integer"),
]


def minimise(*args, **options):
    return lambda: so.minimize(*args, **options)


SOLVERS = [
    ("tol 0", minimise(LOSS, L1, tol=0), ValueError, "^tol must be"),
    ("tol neg", minimise(LOSS, L1, tol=-1e-6), ValueError, "^tol must be"),
    ("tol NaN", minimise(LOSS, L1, tol=np.nan), ValueError, "^tol must be"),
    ("tol text", minimise(LOSS, L1, tol="1e-6"), TypeError, "^tol must be"),
    ("max_iter neg", minimise(LOSS, L1, max_iter=-1), ValueError, "^max_iter"),
    ("max_iter float", minimise(LOSS, L1, max_iter=1e3), TypeError, "^max_iter"),
    ("method", minimise(LOSS, L1, method="newton"), ValueError, "^method must be one of"),
    ("method None", minimise(LOSS, L1, method=None), ValueError, "^method must be one of"),
    ("restart", minimise(LOSS, L1, restart="often"), ValueError, "^restart must be one of"),
    ("restart True", minimise(LOSS, L1, restart=True), ValueError, "^restart must be one of"),
    ("step 0", minimise(LOSS, L1, step=0), ValueError, "^step"),
    ("step neg", minimise(LOSS, L1, step=-1), ValueError, "^step"),
    ("step NaN", minimise(LOSS, L1, step=np.nan), ValueError, "^step"),
    ("option", minimise(LOSS, L1, inertia=0.9), TypeError, "inertia"),
    ("momentum", minimise(LOSS, L1, momentum=0.9), ValueError, "^momentum"),
    ("x0 short", minimise(LOSS, L1, x0=np.zeros(5)), ValueError, r"^x0 must have shape \(6,\)"),
    ("x0 2-D", minimise(LOSS, L1, x0=np.zeros((6, 1))), ValueError, "^x0 must have shape"),
    ("x0 NaN", minimise(LOSS, L1, x0=[np.nan] * 6), ValueError, "^x0 must be finite"),
    ("x0 complex", minimise(LOSS, L1, x0=np.zeros(6, complex)), TypeError, "^x0 must be real"),
    ("x0 text", minimise(LOSS, L1, x0="zeros"), TypeError, "^x0 must be"),
    ("loss", minimise(NoGradient(), L1), TypeError, "^loss must have .*gradient_at"),
    ("loss matrix", minimise(A, Y), TypeError, "^loss must have"),
    ("loss None", minimise(None, L1), TypeError, "^loss must have"),
    ("penalty", minimise(LOSS, NoProx()), TypeError, "^penalty must have prox, got NoProx"),
    ("penalty number", minimise(LOSS, 0.1), TypeError, "^penalty must have"),
    ("lam length", minimise(LOSS, penalties.L1([1, 2])), ValueError, "lam"),
    ("groups length", minimise(LOSS, penalties.GroupL2(1, [0, 1])), ValueError, "^groups"),
    (
        "proximal_gradient",
        lambda: solvers.proximal_gradient(LOSS, L1, restart="x"),
        ValueError,
        "^restart",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [pytest.param(*case[1:], id=case[0]) for case in LOSSES + PENALTIES + SOLVERS],
)
def test_refused_with_the_name_of_the_argument(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_class_instead_of_an_object():
    with pytest.raises(TypeError):
        so.minimize(LOSS, penalties.L1)


def test_k_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"^k must be between 0 and 6, got 7"):
        so.prox.project_top_k(np.ones(6), 7)


def test_a_wrong_adjoint_is_found_by_the_check():
    wrong = LinearOperator((4, 6), matvec=lambda x: A @ x, rmatvec=lambda u: A.T @ u + 1e-3)
    right = LinearOperator((4, 6), matvec=lambda x: A @ x, rmatvec=lambda u: A.T @ u)
    so.linop.check_adjoint(right)
    with pytest.raises(ValueError, match=r"^A must satisfy"):
        so.linop.check_adjoint(wrong)


def test_inputs_are_left_alone():
    matrix, data, start = A.copy(), Y.copy(), np.ones(6)
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    loss = losses.LeastSquares(matrix, data, sample_weights=weights)
    so.minimize(loss, L1, x0=start)
    np.testing.assert_array_equal(matrix, A)
    np.testing.assert_array_equal(data, Y)
    np.testing.assert_array_equal(start, np.ones(6))
    np.testing.assert_array_equal(weights, [1, 2, 3, 4])
    value = loss.value(start)
    data[:] = 0
    weights[:] = 0
    assert loss.value(start) == value
