"""What every tier needs: no service that a test starts touches the network of the machine it runs on.

Tests of networks say so themselves, and make a network namespace of their own first.
"""

from __future__ import annotations

import os

os.environ.setdefault("OS_NETWORK__ENABLED", "false")
