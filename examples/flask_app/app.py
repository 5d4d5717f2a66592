"""Payments in Flask: routing and nothing else. Start with `gunicorn examples.flask_app.app:app`."""

import atexit
import threading
from collections.abc import Iterator

from flask import Flask, Response, request
from sqlalchemy import create_engine
from werkzeug.exceptions import HTTPException

from airport_payments import PaymentEndpoints, PaymentGateway, StripeSettings
from airport_payments import contract_models as models
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

from .. import airport
from .standin import stand_in

CHUNK_BYTES = 16 * 1024

tokens = airport.Tokens()
engine = create_engine(airport.database_url())
bookings = SqlAlchemyBookingRepository(engine)
gateway = PaymentGateway(bookings, StripeSettings.from_env())
endpoints = PaymentEndpoints(gateway, tokens.customer)

app = Flask(__name__)
app.url_map.merge_slashes = False  # a redirect would lose a webhook
app.register_blueprint(stand_in(bookings, gateway, tokens))
bookings.create_tables()


def body() -> Iterator[bytes]:
    """Yield the request's body piece by piece, so that no more than the limit is read."""
    while chunk := request.stream.read(CHUNK_BYTES):
        yield chunk


@app.route(models.CREATE_PATH, methods=["POST"], provide_automatic_options=False)
@app.route(models.CONFIRM_PATH, methods=["POST"], provide_automatic_options=False)
@app.route(models.WEBHOOK_PATH, methods=["POST"], provide_automatic_options=False)
@app.route(models.STATUS_PREFIX + "<_booking_id>", provide_automatic_options=False)
def pay(_booking_id: str = "") -> Response:
    """Hand a request over, and send back what comes."""
    result = endpoints.handle(request.method, request.path, request.headers.items(), body())
    return Response(result.body, result.status, list(result.headers))


@app.errorhandler(HTTPException)
def refuse(error: HTTPException) -> Response:
    """Answer what no route takes in the contract's envelope."""
    allow = getattr(error, "valid_methods", None) or ()
    result = airport.refused(error.code or 500, ", ".join(sorted(allow)))
    return Response(result.body, result.status, list(result.headers))


def work_in_background() -> None:
    """Do what is due until the process ends. Under gunicorn each worker process imports this file, and has its own."""
    stop = threading.Event()
    worker = threading.Thread(target=gateway.work, args=(stop,), name="airport-payments", daemon=True)

    @atexit.register
    def _end() -> None:
        stop.set()
        gateway.wake()
        worker.join(timeout=10)
        gateway.close()
        engine.dispose()

    worker.start()


work_in_background()
