"""Processes that are hard to find: each forks and ends again and again, in a session of its own."""

HOPPING_SECONDS = 10
"""What a test misses ends by itself after this time."""

HOPPING = f"""
import os, time
from gateway_ext.agent.orphans import adopt_orphans
adopt_orphans()
end = time.monotonic() + {HOPPING_SECONDS}
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        while time.monotonic() < end:
            time.sleep(0.005)
            if os.fork():
                os._exit(0)
        os._exit(0)
"""
"""Beginning of a program that starts five of them and becomes their parent again and again; `end`
is when they end, in `time.monotonic()`."""
