"""The object store stands still or is gone: who needs it must wait or say so, and nobody else may notice."""

from __future__ import annotations

from nemesis.services import ServiceNemesis

MINIO = ServiceNemesis("minio", carries_links=False)
