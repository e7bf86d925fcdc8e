"""The end of a process whose parent is gone.

A worker asks for this before it imports anything that takes long, so nothing but Python itself is imported here.
"""

import os
import threading
import time

INTERVAL = 1.0  # seconds between two looks


def end_with(parent: int) -> None:
    """End this process within a moment of its parent's end, whatever it does by then."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os._exit(1)
