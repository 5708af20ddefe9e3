"""What all tests share."""

import matplotlib

matplotlib.use("Agg")
