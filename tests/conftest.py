"""What all tests share."""

import signal

import matplotlib

matplotlib.use("Agg")

# A shell has what it starts in the background ignore Ctrl-C; the processes that the tests interrupt would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
