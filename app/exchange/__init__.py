"""Files in and out, checked whole before anything is written."""

import os

# openpyxl takes lxml where it happens to be installed, and with it entities, which defusedxml refuses.
os.environ["OPENPYXL_LXML"] = "False"
