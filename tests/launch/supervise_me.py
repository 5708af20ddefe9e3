"""A supervisor in a process of its own, for tests that send it signals: supervise_me.py FOLDER SETTINGS, as JSON."""

import json
import sys
from pathlib import Path

from launches import launch

from pellucid.launch.stops import Stopped
from pellucid.launch.supervisor import Limits

settings = json.loads(sys.argv[2])
plan, limits = settings.pop("plan"), Limits(**settings.pop("limits"))
try:
    sys.exit(launch(Path(sys.argv[1]), plan, limits, **settings).supervisor.run())
except Stopped as stopped:
    print(stopped, file=sys.stderr)
    sys.exit(128 + stopped.signum)
