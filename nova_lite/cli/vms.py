"""This host's VMs as its files and processes show them: no API, no agent, no database needed."""

from __future__ import annotations
