"""Python imports this as it starts, where this folder is on PYTHONPATH: see tests/mutations/planting.py."""

import os

if "EDGEWISE_PLANTED" in os.environ:
    from tests.mutations.planting import install

    install()
