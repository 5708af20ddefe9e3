"""``python -m pellucid.launch.sweep ATTEMPT`` ends what is left of an attempt on the machine on which it is started."""

from __future__ import annotations

import sys

from pellucid.launch.processes import end_marked

WITHIN_S = 5.0


def main() -> int:
    """Exit status 1 where something could not be ended."""
    return 1 if end_marked(sys.argv[1], WITHIN_S, daemons=True) else 0


if __name__ == "__main__":
    sys.exit(main())
