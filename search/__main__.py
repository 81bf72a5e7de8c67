"""``python -m search`` in a clone; where it is installed, ``coarsefine/launcher`` calls this."""

import _thread
import gc
import signal
import sys
import threading
from contextlib import suppress
from typing import Final

_OBJECTS: Final = 500_000
"""How many are made before cycles are looked for; imports and 10,000 ranked trials are fewer."""

_SOON: Final = 0.01
"""Seconds after which an interrupt that was lost comes again."""


def main() -> int:
    """Run the command line and return its exit status."""
    sys.unraisablehook = interrupt_again
    # A ranking makes objects by the hundred thousand and next to no cycles of them. To look for
    # these after every 700 objects, and in all there are at the end, takes a quarter of its time;
    # to look once, half-way, a twentieth.
    gc.set_threshold(_OBJECTS)
    try:
        from coarsefine.search.processes import begin_with_one_thread

        begin_with_one_thread()  # which BLAS reads when NumPy is imported
        from coarsefine.search.cli import run

        return run()
    except KeyboardInterrupt:
        # Pressed before there was anything to stop.
        return 130
    finally:
        gc.freeze()


def interrupt_again(lost: "sys.UnraisableHookArgs") -> None:
    """Let an interrupt come again that fell into a finalizer or a callback: Python ignores it."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    with suppress(RuntimeError):  # the program is ending anyway
        timer = threading.Timer(_SOON, _interrupt)
        timer.daemon = True
        timer.start()


def _interrupt() -> None:
    if hasattr(signal, "pthread_kill"):  # which wakes a main thread that waits
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


# Worker processes import this module under another name: they must not run commands.
if __name__ == "__main__":
    raise SystemExit(main())
