"""How does a window move over an image, axis by axis, and make maps?"""

from cnnspec.text.record import record


@record
class Slide:
    image: tuple[int, ...]
    maps: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    group: int

    @property
    def reach(self) -> tuple[int, ...]:
        """From the first tap to the last."""
        return tuple(d * (k - 1) for d, k in zip(self.dilations, self.kernel, strict=True))

    @property
    def ends(self) -> tuple[int, ...]:
        """The padding that the last window needs; less than 0 where it does not reach the end."""
        columns = zip(self.strides, self.maps, self.reach, self.begins, self.image, strict=True)
        return tuple(s * (m - 1) + r + 1 - b - n for s, m, r, b, n in columns)

    @property
    def pads(self) -> tuple[int, ...]:
        """For an image cut down to what windows reach."""
        return (*self.begins, *(max(e, 0) for e in self.ends))

    @property
    def moves_by_one(self) -> bool:
        return all(s == 1 for s in self.strides)
