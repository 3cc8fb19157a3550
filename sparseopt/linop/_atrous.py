"""Compiled loops of the undecimated wavelet transform (algorithme a trous), periodic.

A level with dilation ``s`` and filter ``f`` of length ``L`` gives, with ``c = L s / 2``,
``y[i] = sum_k f[k] x[(i + c - k s) mod n]``, PyWavelets' alignment. Rows are filtered in a
buffer that holds them periodically extended, so that the inner loops are straight additions of
shifted rows, which the compiler turns into vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import jit


@jit
def _wrap(buffer: Any, start: int, n: int) -> None:
    """Extend ``buffer[start : start + n]`` periodically over the whole buffer."""
    for t in range(start - 1, -1, -1):
        buffer[t] = buffer[t + n]
    for t in range(start + n, buffer.size):
        buffer[t] = buffer[t - n]


@jit
def _split(buffer: Any, low: Any, high: Any, s: int, coarse: Any, fine: Any) -> None:
    """Filter an extended row by both filters."""
    taps = low.size
    n = coarse.size
    for k in range(taps):
        f, g = low[k], high[k]
        part = buffer[(taps - 1 - k) * s : (taps - 1 - k) * s + n]
        if k == 0:
            for j in range(n):
                coarse[j] = f * part[j]
                fine[j] = g * part[j]
        else:
            for j in range(n):
                coarse[j] += f * part[j]
                fine[j] += g * part[j]


@jit
def _merge(
    coarse: Any, fine: Any, low: Any, high: Any, s: int, buffer: Any, other: Any, row: Any
) -> None:
    """The adjoint of `_wrap` and `_split` together, from two rows to one."""
    taps = low.size
    n = row.size
    c = taps * s // 2
    buffer[c : c + n] = coarse
    other[c : c + n] = fine
    _wrap(buffer, c, n)
    _wrap(other, c, n)
    for k in range(taps):
        f, g = low[k], high[k]
        part = buffer[k * s : k * s + n]
        rest = other[k * s : k * s + n]
        if k == 0:
            for j in range(n):
                row[j] = f * part[j] + g * rest[j]
        else:
            for j in range(n):
                row[j] += f * part[j] + g * rest[j]


@jit
def analyse_rows(x: Any, low: Any, high: Any, levels: int, out: Any) -> None:
    """Transform each row of ``x`` (batch, n) into ``out`` (batch, levels + 1, n)."""
    taps = low.size
    n = x.shape[1]
    storage = np.empty(n + (taps << levels), x.dtype)
    for b in range(x.shape[0]):
        approximation = out[b, 0]
        approximation[:] = x[b]
        for level in range(levels):
            s = 1 << level
            buffer = storage[: n + (taps - 1) * s]
            start = (taps - 1) * s - taps * s // 2
            buffer[start : start + n] = approximation
            _wrap(buffer, start, n)
            _split(buffer, low, high, s, approximation, out[b, levels - level])


@jit
def synthesise_rows(y: Any, low: Any, high: Any, levels: int, out: Any) -> None:
    """The adjoint of `analyse_rows`."""
    taps = low.size
    n = out.shape[1]
    storage = np.empty((2, n + (taps << levels)), y.dtype)
    for b in range(y.shape[0]):
        row = out[b]
        row[:] = y[b, 0]
        for level in range(levels - 1, -1, -1):
            s = 1 << level
            length = n + (taps - 1) * s + s
            _merge(
                row, y[b, levels - level], low, high, s,
                storage[0, :length], storage[1, :length], row,
            )  # fmt: skip


@jit
def analyse_images(x: Any, low: Any, high: Any, levels: int, out: Any) -> None:
    """Transform each image of ``x`` (batch, h, w) into ``out`` (batch, 3 levels + 1, h, w)."""
    taps = low.size
    height, width = x.shape[1:]
    storage = np.empty((2, width + (taps << levels)), x.dtype)
    current = np.empty((height, width), x.dtype)
    following = np.empty((height, width), x.dtype)
    for b in range(x.shape[0]):
        current[:] = x[b]
        for level in range(levels):
            s = 1 << level
            band = 3 * (levels - 1 - level) + 1
            coarse = out[b, 0] if level == levels - 1 else following
            start = (taps - 1) * s - taps * s // 2
            above = storage[0, : width + (taps - 1) * s]
            below = storage[1, : width + (taps - 1) * s]
            for i in range(height):
                _split_columns(
                    current, low, high, s, i,
                    above[start : start + width], below[start : start + width],
                )  # fmt: skip
                _wrap(above, start, width)
                _wrap(below, start, width)
                _split(above, low, high, s, coarse[i], out[b, band + 1, i])
                _split(below, low, high, s, out[b, band, i], out[b, band + 2, i])
            current, following = following, current


@jit
def _split_columns(image: Any, low: Any, high: Any, s: int, i: int, coarse: Any, fine: Any) -> None:
    """Row ``i`` of the image filtered down its columns by both filters."""
    taps = low.size
    height = image.shape[0]
    for k in range(taps):
        f, g = low[k], high[k]
        row = image[(i + taps * s // 2 - k * s) % height]
        if k == 0:
            for j in range(row.size):
                coarse[j] = f * row[j]
                fine[j] = g * row[j]
        else:
            for j in range(row.size):
                coarse[j] += f * row[j]
                fine[j] += g * row[j]


@jit
def synthesise_images(y: Any, low: Any, high: Any, levels: int, out: Any) -> None:
    """The adjoint of `analyse_images`."""
    taps = low.size
    height, width = out.shape[1:]
    storage = np.empty((2, width + (taps << levels)), y.dtype)
    rows = np.empty((2, width), y.dtype)
    above, below = rows[0], rows[1]
    current = np.empty((height, width), y.dtype)
    following = np.empty((height, width), y.dtype)
    for b in range(y.shape[0]):
        current[:] = y[b, 0]
        for level in range(levels - 1, -1, -1):
            s = 1 << level
            band = 3 * (levels - 1 - level) + 1
            image = out[b] if level == 0 else following
            image[:] = 0
            buffer = storage[0, : width + taps * s]
            other = storage[1, : width + taps * s]
            for i in range(height):
                _merge(current[i], y[b, band + 1, i], low, high, s, buffer, other, above)
                _merge(y[b, band, i], y[b, band + 2, i], low, high, s, buffer, other, below)
                for k in range(taps):
                    f, g = low[k], high[k]
                    row = image[(i + taps * s // 2 - k * s) % height]
                    for j in range(width):
                        row[j] += f * above[j] + g * below[j]
            current, following = following, current
