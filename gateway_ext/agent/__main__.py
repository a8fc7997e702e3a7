"""`python -m gateway_ext.agent`."""

import os
import sys

# Python puts the working directory first, and users may have a file random.py or zmq.py there.
# ipykernel_launcher removes it for the same reason.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from .program import main

if __name__ == "__main__":
    main()
