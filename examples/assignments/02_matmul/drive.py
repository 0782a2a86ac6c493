"""What runs beside the student's code: matrices in, products out, and the addresses of what was touched. It knows no
answer."""
import numpy as np

LINE = 8                                                   # numbers in a line of the cache: 64 bytes


class Touched:
    """A matrix that writes down the address of every number that is read or written, in a common list."""

    def __init__(self, values, first, log):
        self.values, self.shape, self.first, self.log = values, values.shape, first, log

    def __getitem__(self, index):
        if isinstance(index, int | np.integer):            # a whole row
            self.log.extend(self.first + index * self.shape[1] + j for j in range(self.shape[1]))
            return self.values[index].copy()
        self.log.append(self.address(index))
        return float(self.values[index])

    def __setitem__(self, index, value):
        self.log.append(self.address(index))
        self.values[index] = value

    def address(self, index):
        i, j = index
        if isinstance(i, slice) or isinstance(j, slice):
            raise TypeError("one number at a time, a[i, p]: slices hide in which order numbers are touched")
        return self.first + int(i) * self.shape[1] + int(j)


def touched(*arrays):
    """The arrays, each from a new line of memory on, and their list of addresses."""
    log, first, made = [], 0, []
    for array in arrays:
        made.append(Touched(array, first, log))
        first += -(-array.size // LINE) * LINE
    return made, log


def loops(student, name, a, b, c, sizes):
    """c after `reordered` or `blocked`."""
    getattr(student, name)(a, b, c, *map(int, sizes))
    return {"c": c, "a": a, "b": b}


def addresses(student, name, a, b, c, sizes):
    """c, and the addresses in the order in which they were touched; a lies first, then b, then c."""
    arrays, log = touched(a, b, c)
    getattr(student, name)(*arrays, *map(int, sizes))
    return {"c": c, "addresses": np.array(log, dtype=np.int64)}


def packing(student, name, array, size):
    """Panels or strips, and whether they lie in memory as they are counted."""
    packed = np.asarray(getattr(student, name)(array, int(size)))
    return {"packed": packed, "in_order": np.array(packed.flags.c_contiguous), "array": array}


def one_tile(student, strip, panel):
    """The tile, and how many numbers were read for it."""
    (strip, panel), log = touched(strip, panel)
    return {"tile": np.asarray(student.tile(strip, panel)), "reads": np.array(len(log))}


def product(student, a, b, high, wide):
    return {"c": np.asarray(student.tiled(a, b, int(high), int(wide))), "a": a, "b": b}


def backward(student, g, a, b, high, wide):
    da, db = student.matmul_backward(g, a, b, int(high), int(wide))
    return {"da": np.asarray(da), "db": np.asarray(db)}
