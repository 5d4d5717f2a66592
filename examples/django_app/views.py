"""Payments in Django: routing and nothing else."""

from collections.abc import Iterator

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from airport_payments import InternalError, InvalidRequest, NoSuchEndpoint
from airport_payments.contract import Response, error_answer

from . import payments

CHUNK_BYTES = 16 * 1024


def body(request: HttpRequest) -> Iterator[bytes]:
    """Yield the request's body piece by piece, so that no more than the limit is read."""
    # Django reads nothing of a body of unknown length. Where the server says when it ends, it can be read.
    ends = request.META.get("wsgi.input_terminated")
    stream = request.META["wsgi.input"] if ends else request
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def sent(request: HttpRequest, result: Response) -> HttpResponse:
    """Send what the library answers. Its length, and that HEAD gets no body, Django leaves to us."""
    headers = {**dict(result.headers), "Content-Length": str(len(result.body))}
    content = b"" if request.method == "HEAD" else result.body
    return HttpResponse(content, status=result.status, headers=headers)


# No cookie says who asks here, so there is no forgery to protect from: a token in a header does, or Stripe's signature.
# Each save is a transaction of its own: with ATOMIC_REQUESTS it would be undone by an error that comes after it.
@csrf_exempt
@transaction.non_atomic_requests
def pay(request: HttpRequest, **_path: str) -> HttpResponse:
    """Hand a request over, and send back what comes."""
    result = payments.endpoints.handle(request.method or "", request.path, request.headers.items(), body(request))
    return sent(request, result)


def not_served(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what no route takes in the contract's envelope."""
    return sent(request, error_answer(NoSuchEndpoint()))


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself refuses."""
    return sent(request, error_answer(InvalidRequest()))


def failed(request: HttpRequest) -> HttpResponse:
    """Answer for what nobody caught."""
    return sent(request, error_answer(InternalError()))
