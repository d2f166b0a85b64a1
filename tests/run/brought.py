"""How do tests say what is refused, and look at what is read?"""

from typing import Any

import numpy as np
import pytest

from cnnspec.run.sets import BadData, Splits

Array = np.ndarray[Any, Any]


def refused(message: str) -> Any:
    return pytest.raises(BadData, match=message)


def in_order(splits: Splits) -> Array:
    """The targets of the training examples as the file has them, first the first."""
    train = splits.train
    return train.fetch(np.argsort(train.indices))[1]
