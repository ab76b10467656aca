"""One Cortex XSOAR tenant for one machine: its REST API over HTTP, on an embedded database and files."""

from local_xsoar.tenant.errors import BadRequest, InvestigationClosed, NotFound, OptimisticLock, TenantError
from local_xsoar.tenant.server import serving
from local_xsoar.tenant.settings import TenantSettings
from local_xsoar.tenant.tenant import Tenant

__all__ = [
    "BadRequest",
    "InvestigationClosed",
    "NotFound",
    "OptimisticLock",
    "Tenant",
    "TenantError",
    "TenantSettings",
    "serving",
]
