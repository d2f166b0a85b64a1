"""How are the sets read that come with cnnspec?"""

import os

import numpy as np

from cnnspec.resources import PACKAGE
from cnnspec.run.sets.fitting import held
from cnnspec.run.sets.part import Found, digest_of
from cnnspec.run.wanted import Array, Wanted
from cnnspec.settings.data import Data
from cnnspec.settings.sets import DIGITS, SEASONS

DATA = os.path.join(PACKAGE, "data")


def read_digits(data: Data, wanted: Wanted) -> Found:
    """10,000 digits."""
    arrays = _arrays("mnist10k")
    x, y = arrays["images"][:, None], arrays["labels"]
    return Found(held(wanted.name, x, y, data, wanted), "classes", digest_of(x, y), DIGITS)


def digits() -> Array:
    """The pictures of the digits, 28x28 bytes each."""
    return _arrays("mnist10k")["images"]


def read_italy(data: Data, wanted: Wanted) -> Found:
    """67 days for training and 1,029 for test."""
    arrays = _arrays("italy_power_demand")
    train = held(wanted.name, arrays["train_series"], arrays["train_labels"], data, wanted)
    test = held(wanted.name, arrays["test_series"], arrays["test_labels"], data, wanted)
    digest = digest_of(*(arrays[k] for k in sorted(arrays)))
    return Found(train, "classes", digest, SEASONS, test=test)


def _arrays(name: str) -> dict[str, Array]:
    with np.load(os.path.join(DATA, f"{name}.npz"), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}
