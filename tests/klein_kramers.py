"""The rate between two equal wells at any friction, from the spectrum: an answer that shares nothing with the package."""

import math

import numpy as np
from scipy import sparse
from scipy.sparse import linalg


def klein_kramers(damping, heat, size, orders):
    """Half the smallest eigenvalue for the double well, M = 1: Hermite functions times orthonormal polynomials."""
    nodes, weights = np.polynomial.legendre.leggauss(800)
    x, weights = 2.6 * nodes, 2.6 * weights
    root = np.sqrt(weights * np.exp(-((x * x - 1.0) ** 2) / heat))
    p, slope = np.zeros((size, len(x))), np.zeros((size, len(x)))
    p[0] = 1.0 / np.linalg.norm(root)
    for k in range(1, size):
        new, bend = x * p[k - 1], p[k - 1] + x * slope[k - 1]
        for _ in range(2):
            share = (p[:k] * root) @ (new * root)
            new, bend = new - share @ p[:k], bend - share @ slope[:k]
        p[k], slope[k] = new / np.linalg.norm(new * root), bend / np.linalg.norm(new * root)
    derivative = (p * root) @ (slope * root).T
    d = sparse.csr_matrix(np.where(np.abs(derivative) > 1e-12, derivative, 0.0))
    n = np.arange(float(orders))
    up, down = sparse.diags(np.sqrt(n[1:]), -1), sparse.diags(np.sqrt(n[1:]), 1)
    generator = math.sqrt(heat) * (sparse.kron(up, d) - sparse.kron(down, d.T))
    generator -= damping * sparse.kron(sparse.diags(n), sparse.eye(size))
    start = np.ones(size * orders)
    found = linalg.eigs(sparse.csc_matrix(generator), k=2, sigma=1e-8, v0=start, return_eigenvectors=False)
    return np.sort(-found.real)[1] / 2.0
