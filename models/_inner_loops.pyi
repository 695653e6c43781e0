"""The inner loops in C. Any content is taken; what is out of range raises ValueError or IndexError, an array of another
type or form TypeError or BufferError, and all raise MemoryError."""

from typing import Final

import numpy as np
import numpy.typing as npt

INTERFACE: Final[int]

def places(
    sections: tuple[bytes, ...], texts: tuple[tuple[bytes, bytes], ...], views: bytes
) -> tuple[bytes, bytes]:
    """The distinct places of a message's features, ascending in each view (uint32), and how many each view has (intp).

    A view is a row of four uint32: number of its section or text, how far apart pairs of words are (0: its words),
    bits of its table, the table's place. The first views are those of 4-grams, one for each section. The words of the
    first text are told by the first of their line, and pairs are within it.
    """

def squeezed(octets: bytes) -> bytes:
    """Octets without those that are like the one before; each newline is kept."""

def sums(
    weights: npt.NDArray[np.float32], places: npt.NDArray[np.uint32], counts: npt.NDArray[np.intp]
) -> bytes:
    """The sum of the weights of each view (float64), in numpy's order of adding."""

def step(
    weights: npt.NDArray[np.float32],
    accumulators: npt.NDArray[np.float32],
    places: npt.NDArray[np.uint32],
    counts: npt.NDArray[np.intp],
    gradients: npt.NDArray[np.float32],
    floor: float,
    rate: float,
) -> None:
    """One step of AdaGrad, in place, with a gradient for each view; the places are distinct."""
