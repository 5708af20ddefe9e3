"""Side by side with PyTorch and ONNX Runtime: `make bench`, or `python -m benchmarks --help`.

Reading order: `case` (what a row is), `compare`, `timing` and `verdict` (how it is judged), `targets` (what is asked),
the cases themselves (`convolutions`, `small_layers`, `updates`, `steps`, `inference`, `memory`), `networks` (the deep
ones, as data), `ours`, `torch_*` and `onnx_runtime` (the sides), `machine` (what the processor can do), `run` (one row
from start to end) and what shows it (`results`, `table`, `pages`, `chart`). Nothing here is part of the package.

The other files set one number each in the package, which names them.
"""
