"""Where the installed command is."""

import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("pellucid")
