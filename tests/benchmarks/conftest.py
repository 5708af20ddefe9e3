"""The benchmarks are no part of the package: they are imported from where `python -m benchmarks` finds them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
