"""`python -m gateway_ext.agent`."""

import os
import sys

# Python puts the working directory first, and that is a folder of people who may well have a file
# random.py or zmq.py there. ipykernel_launcher does the same for the same reason.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from .program import main

if __name__ == "__main__":
    main()
