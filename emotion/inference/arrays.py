"""The two kinds of arrays that travel between the parts of the inference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""An RGB image, (H, W, 3), or its luma, (H, W)."""

Array = NDArray[np.float32]
"""Numbers; each function says their shape and unit."""
