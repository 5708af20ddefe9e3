"""How large an error may be: one table, each number with its reason.

Two measures. ``rel_error`` is the course's: |x - y| / (|x| + |y|), element by element, the largest of them. It suits
gradients checked against numerical ones. ``scaled error`` is the largest difference divided by the largest value: what
rounding makes, whatever the size of one element, so it suits twins that add up the same numbers in another order.
"""

from typing import NamedTuple


class Tolerance(NamedTuple):
    """The largest error that passes, and why it is that large."""

    bound: float
    why: str


TOLERANCES = {
    "gradient, smooth": Tolerance(
        1e-7,
        "Centred differences in float64 with h = 1e-5: the truncation is about h^2 = 1e-10 and the rounding of f about "
        "1e-16 / h = 1e-11, both beside a typical gradient; elements a hundred times smaller than that still pass.",
    ),
    "gradient, through batch norm": Tolerance(
        1e-6,
        "Convolutions in front of batch norm: dividing by the batch's own deviation makes third derivatives of 10 to "
        "100, so that the truncation, h^2 / 6 of them, is 4e-10 beside gradient elements as small as 1e-3.",
    ),
    "gradient, network": Tolerance(
        1e-5,
        "A whole network in float64 with h = 1e-5: a loss near 2.3 is rounded at 4e-16, over h that is 5e-11, and the "
        "gradients of the course's small initial weights are 1e-6 and less: five digits are left.",
    ),
    "gradient, tutorial's network": Tolerance(
        5e-2,
        "The tutorial's own check, element by element with h = 1e-6, prints up to 4e-3, and the course expects errors "
        "of the order of 1e-2 (its seed 231 gives 1.8e-2): some gradients are as small as 1e-8, where centred "
        "differences of a loss near 2.3 have two digits left. `check_model` holds the same network to the bound above.",
    ),
    "twins, float64": Tolerance(
        1e-12, "The same sums in another order: n terms round to about 1e-16 times the square root of n."
    ),
    "twins, float32": Tolerance(
        1e-5, "The same sums in another order: n terms round to about 6e-8 times the square root of n."
    ),
    "reference, float64": Tolerance(
        1e-10, "Another library's float64 results: other orders of summation, and other but equal formulas."
    ),
    "printed array": Tolerance(
        1e-7, "The tutorial prints eight digits: half a unit of the last one is 5e-9, 2e-7 of a number near 0.02."
    ),
    "fixed answer": Tolerance(
        5e-16,
        "How far the error of a check with a fixed answer, such as 2.21214764e-08, may be from the tutorial's. It is "
        "made by a number near 0.1, rounded at 1e-17: 400 random orders of summation moved it by up to 1.6e-16.",
    ),
    "course's gradient check": Tolerance(
        1e-6,
        "The course's measure has no floor: outputs rounded at 1e-16 to 1e-15, over 2h = 2e-5, are 1e-11 to 1e-10, "
        "beside the smallest of up to 1,500 elements, 1e-3. The tutorial prints up to 9.4e-8; moving the inputs by one "
        "rounding, as another machine does, made 6e-8 out of our 1.4e-8.",
    ),
    "course's gradient check, norms": Tolerance(
        1e-5,
        "As above, with an x near 12 and gradients divided by its deviation. The course expects up to 1e-6; moving the "
        "inputs by one rounding made 1.6e-6 out of our 5.8e-7.",
    ),
    "kernels, direct": Tolerance(
        2e-6,
        "float32 against naive float64, as a part of the largest value: sums of up to 5,000 terms round to about 6e-8 "
        "times the square root of their number, and the largest value is a few times the typical one.",
    ),
    "kernels, Winograd": Tolerance(
        5e-5,
        "float32 against naive float64: the transforms multiply by up to 5 * 5 and divide by up to 24 * 24 before and "
        "after the sums, so rounding is up to 25 times that of direct sums.",
    ),
    "course's fast against naive": Tolerance(
        1e-9,
        "The course's own bound for its relative error: sums of 27 terms rounded at 1e-15, beside the smallest of "
        "640,000 outputs, 1e-5.",
    ),
}
