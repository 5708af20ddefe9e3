"""Where a sliding window stops: the arithmetic of output sizes, in one place.

A window of F pixels slides over W pixels, with P zeros added on either side, S pixels at a step. It stops at

    (W - F + 2P) / S + 1

places. Where the division leaves a remainder, the window cannot take the last, shorter step: the result is
rounded down and the pixels beyond the last window are not seen. (PyTorch, Caffe's convolution and ONNX's default do
the same; the course's im2col code refuses such sizes.) Dilation D spreads the taps of the window D pixels apart, so
that it covers D * (F - 1) + 1 pixels.
"""


def span(window_size: int, dilation: int = 1) -> int:
    """How many pixels a window of ``window_size`` taps covers, ``dilation`` pixels apart."""
    return dilation * (window_size - 1) + 1


def output_size(size: int, window_size: int, stride: int, pad: int = 0, dilation: int = 1) -> int:
    """How many places the window stops at along one axis: 1 + (size + 2 pad - span) / stride, rounded down.

    Zero or less means that the window is larger than the padded image.
    """
    return 1 + (size + 2 * pad - span(window_size, dilation)) // stride


def window(i: int, window_size: int, stride: int, dilation: int = 1) -> slice:
    """The pixels that the i-th stop of the window sees along one (padded) axis."""
    return slice(i * stride, i * stride + span(window_size, dilation), dilation)


def tap(t: int, stops: int, stride: int, dilation: int = 1) -> slice:
    """The pixels that the t-th tap of the window sees along one (padded) axis, one for each of its stops.

    The same table read the other way round: ``window`` fixes the stop and runs over the taps, ``tap`` fixes the tap and
    runs over the stops. Fast layers loop over the few taps and treat all stops at once.
    """
    return slice(t * dilation, t * dilation + span(stops, stride), stride)
