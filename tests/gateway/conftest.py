import pytest
from tests.gateway.shop import Shop, opened


@pytest.fixture(params=["sync", "async"])
def colour(request) -> str:
    return request.param


@pytest.fixture
def shop(colour):
    """A shop with one booking of Alice's, in each colour."""
    with opened(colour) as shop:
        yield shop


@pytest.fixture
def paid(shop) -> Shop:
    """A shop whose customer has paid at Stripe, of which the shop knows nothing yet."""
    shop.fake.pay(shop.create().payment_intent_id)
    return shop
