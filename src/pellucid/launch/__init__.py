"""``pellucid launch``: several processes train under ``mpiexec``, and somebody sees to it that they come to an end.

Training with many processes ends, sooner or later, because one of them was killed, stopped, or cut off; and what
``mpiexec`` does then depends on whose it is: it ends at once, or hangs for ever, or leaves with status 0. So the
supervisor believes none of it. It goes by what the run itself tells (`pellucid.runs.progress`), ends whatever is left
of an attempt, and starts the next from the newest checkpoint.

In reading order: ``job`` (what to run), ``watch`` (how far it is), ``mpiexec`` and ``finding`` (which MPI, and its
command line), ``processes`` (who belongs to an attempt, and ending them), ``hosts`` (other machines), ``sweep`` and
``guard`` (small programs that end what is left), ``lines``, ``stops``, ``attempt``, ``supervisor``.

Standard library only: it starts at once, and it cannot be what breaks.
"""
