"""End a worker process when its parent is gone.

A worker calls this before its slow imports, so this module imports only the standard library.
"""

import os
import threading
import time

INTERVAL = 1.0  # seconds between two checks


def end_with(parent: int) -> None:
    """End this process within about a second of its parent's end, whatever it is doing."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os._exit(1)
