"""The gateway stands still or is gone: no cloud hears from another, and there is no majority anywhere."""

from __future__ import annotations

from nemesis.services import ServiceNemesis

GATEWAY = ServiceNemesis("gateway", carries_links=True, min_nodes=2)
