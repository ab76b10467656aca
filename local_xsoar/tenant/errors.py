"""What can go wrong with a request to a tenant, and the body the server answers it with."""

from typing import Any

from starlette.formparsers import MultiPartException


class TenantError(Exception):
    """A request the tenant refuses. `status` is the HTTP status, `error_id` and `title` go into the standard error body."""

    status = 500
    error_id = "internal"
    title = "Internal server error"
    detail = ""

    def body(self) -> dict[str, Any]:
        """Return the standard error body (XSOAR REST API: error bodies)."""
        return error_body(self.status, self.error_id, self.title, self.detail or str(self), str(self))


class BadRequest(TenantError):
    """The request itself is wrong: a query that does not parse, a field of the wrong type."""

    status = 400
    error_id = "bad_request"
    title = "Bad request"


class NotFound(TenantError):
    """No such incident, investigation, entry or file. XSOAR answers 400 here, not 404."""

    status = 400
    error_id = "errNotFound"
    title = "Item not found"


class OptimisticLock(TenantError):
    """The version sent is not the stored one (XSOAR REST API: version conflict, HTTP 400)."""

    status = 400
    error_id = "errOptimisticLock"
    title = "Optimistic lock error"
    detail = "Optimistic lock error"


class InvestigationClosed(TenantError):
    """The War Room is closed and takes no entry (XSOAR REST API: POST /entry answers 412)."""

    status = 412
    error_id = "errInvestigationClosed"
    title = "Investigation is closed"


class Barred(TenantError):
    """The key's role may not do this one thing."""

    status = 403
    error_id = "forbidden"
    title = "Forbidden"


class NoJsonType(TenantError):
    """A POST without the content type of JSON, as probed on real servers."""

    status = 415
    error_id = "unsupported_media_type"
    title = "Unsupported media type"


class TooManyCalls(TenantError):
    """The calls of this minute are used up."""

    status = 429
    error_id = "too_many_requests"
    title = "Too many requests"


class TooLarge(TenantError, MultiPartException):
    """More was sent than the tenant takes. As a MultiPartException it lets the parser of forms clean up."""

    status = 413
    error_id = "too_large"
    title = "Request too large"


def error_body(status: int, error_id: str, title: str, detail: str, error: str) -> dict[str, Any]:
    """Return an error body in the server's standard shape."""
    return {
        "id": error_id,
        "status": status,
        "title": title,
        "detail": detail,
        "error": error,
        "encrypted": False,
        "multires": None,
    }
