"""Ridge regression from slide vectors to text vectors, all strengths at once (Hoerl and Kennard 1970)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.alignment import Affine, Alignment

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

STRENGTHS = tuple(float(strength) for strength in 10.0 ** np.arange(-3, 3.1, 0.5))
"""Ridge strengths, as multiples of the mean variance of the slide vectors along their own directions."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """A decomposition of centred slide vectors that gives the regression for any strength.

    slide_mean [D], text_mean [T]; axes [D, R], variances [R]: principal directions of the slides and n times their
    variance; covariance [R, T]: of slides along the axes with texts, times n.
    """

    slide_mean: Doubles
    text_mean: Doubles
    axes: Doubles
    variances: Doubles
    covariance: Doubles

    @classmethod
    def fit(cls, slides: Floats, texts: Floats) -> Ridge:
        """Decompose n slide vectors [n, D] and their texts' vectors [n, T]."""
        slide_mean, text_mean = slides.mean(0, dtype=np.float64), texts.mean(0, dtype=np.float64)
        centred, aims = slides - slide_mean, texts - text_mean
        if len(centred) > centred.shape[1]:
            variances, axes = np.linalg.eigh(centred.T @ centred)
        else:
            _, singular, rows = np.linalg.svd(centred, full_matrices=False)
            variances, axes = singular**2, rows.T
        significant = variances > variances.max() * 1e-10
        axes, variances = axes[:, significant], variances[significant]
        return cls(slide_mean, text_mean, axes, variances, axes.T @ (centred.T @ aims))

    def matrix(self, strength: float) -> Doubles:
        """The map of centred slide vectors to centred text vectors, [D, T]."""
        shrunk = self.variances + strength * self.variances.mean()
        return self.axes @ (self.covariance / shrunk[:, None])

    def alignment(self, strength: float) -> Alignment:
        """Both maps into the space of centred text vectors."""
        matrix = self.matrix(strength)
        slide = Affine(matrix.astype(np.float32), (-self.slide_mean @ matrix).astype(np.float32))
        identity = np.eye(len(self.text_mean), dtype=np.float32)
        return Alignment("ridge", slide, Affine(identity, (-self.text_mean).astype(np.float32)))
