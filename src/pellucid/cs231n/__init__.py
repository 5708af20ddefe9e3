"""The course's module names: code written for Stanford's CS231n runs here after replacing ``cs231n`` by
``pellucid.cs231n``.

Thin modules that re-export pellucid's functions and classes under the names, signatures and dictionaries of the
course's assignments (2016 to 2026). Without a generator they draw from NumPy's global state in the course's order, so
that a notebook's ``np.random.seed(231)`` means what it meant. What differs, on purpose:

- Dropout's ``p`` is the probability to **keep**, as since 2018; until 2017 it was the probability to drop.
- Caches are opaque: pass them to the backward function they belong to and do not unpack them.
- Checkpoints are safetensors files, not pickles, and can be resumed.
- CIFAR-10 is read from the official **binary** archive; the pickled one is refused, since unpickling can run code.
- A loss that is not finite ends `Solver.train` with an error that says which step, where the course trains on.
- Unknown keys and settings are refused with the near miss, where the course ignored them.
"""
