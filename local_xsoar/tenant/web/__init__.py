"""A web page of one tenant, to look at its incidents and War Rooms and to work in them with a browser on this machine."""

from local_xsoar.tenant.web.guard import new_token, page_address
from local_xsoar.tenant.web.mirroring import Pairs
from local_xsoar.tenant.web.page import WebPage, is_page
from local_xsoar.tenant.web.sharing import Share, Shared, Sharing, nothing_shared

__all__ = [
    "Pairs",
    "Share",
    "Shared",
    "Sharing",
    "WebPage",
    "is_page",
    "new_token",
    "nothing_shared",
    "page_address",
]
