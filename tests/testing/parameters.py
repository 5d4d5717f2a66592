"""Every parameter of every endpoint, with what it does: one row for each, and more where one would not show it.

A row is sent to two fakes that are equal to the last byte, once with and once without its parameters. Placeholders such as
`{paid}` name objects of `world`. `test_every_parameter.py` compares the rows with Stripe's request schemas: a parameter
without a row fails there.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refused:
    """It is refused, with this code and with these words in the message."""

    code: str | None
    words: str


@dataclass(frozen=True)
class Ignored:
    """It is taken, and changes nothing that Stripe would show here."""

    why: str


@dataclass(frozen=True)
class Row:
    """Parameters, and their effect: what then stands at which path of the answer (`#` is a length), or one of the above."""

    given: dict[str, object]
    effect: object
    beside: dict[str, object] = field(default_factory=dict)
    on: str = ""


NEW = {"amount": 2000, "currency": "usd", "payment_method_types[]": "card"}
VISA = {"payment_method": "pm_card_visa"}
PAID = {**VISA, "confirm": "true"}
ASKS = {"payment_method": "pm_card_authenticationRequired"}
SHIPPING = {"shipping[name]": "Ann", "shipping[address][line1]": "1 Main Street"}
SHIPPED = {"shipping.name": "Ann", "shipping.address.line1": "1 Main Street"}
MISSING = "resource_missing"
DIFFERS = object()  # an effect that is something else than without the parameter
NO_MANDATE = Ignored("only methods other than cards make mandates, and the fake makes none")
CARD_DESCRIPTOR = Refused(None, "statement_descriptor_suffix")


def shown(name, value="text"):
    return Row({name: value}, {name: value})


def unknown(name, value="x_1"):
    return Row({name: value}, Refused(MISSING, f"'{value}'"))


def expands(path, wanted, **more):
    return Row({"expand[]": path}, wanted, **more)


# What a PaymentIntent takes at its creation, when it is changed, and when it is confirmed.
OF_AN_INTENT = [
    Row({"allowed_payment_method_types[]": "card"}, {"allowed_payment_method_types.0": "card"}),
    Row({"excluded_payment_method_types[]": "paypal"}, {"excluded_payment_method_types.0": "paypal"}),
    Row({"amount_details[tax][total_tax_amount]": 100}, {"amount_details.tax.total_tax_amount": "100"}),
    Row({"amount_details[enforce_arithmetic_validation]": "false"}, Ignored("Stripe does not show it")),
    Row({"capture_method": "manual"}, {"capture_method": "manual"}),
    Row({"hooks[inputs][tax][calculation]": "taxcalc_1"}, {"hooks.inputs.tax.calculation": "taxcalc_1"}),
    Row({"payment_details[order_reference]": "o-1"}, {"payment_details.order_reference": "o-1"}),
    Row(
        {"payment_method_options[card][request_three_d_secure]": "any"},
        {"payment_method_options.card.request_three_d_secure": "any"},
    ),
    Row({"payment_method_types[]": "sepa_debit"}, {"payment_method_types.0": "sepa_debit"}),
    Row({"receipt_email": "a@example.com"}, {"receipt_email": "a@example.com"}),
    Row({"setup_future_usage": "off_session"}, {"setup_future_usage": "off_session"}),
    Row(SHIPPING, SHIPPED),
    expands("payment_method", {"payment_method.object": "payment_method"}, beside=VISA),
]
BEFORE_CONFIRMING = [
    Row({"application_fee_amount": 100}, Refused(None, "application_fee_amount")),
    shown("description"),
    Row({"customer": "{customer}"}, {"customer": "{customer}"}),
    Row({"customer": "cus_none"}, Refused(MISSING, "cus_none")),
    unknown("customer_account"),
    Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
    Row({"payment_method": "pm_card_visa"}, {"status": "requires_confirmation"}),
    unknown("payment_method_configuration"),
    Row({"payment_method_data[type]": "us_bank_account"}, {"status": "requires_confirmation"}),
    Row({"statement_descriptor": "AIRPORT"}, {"statement_descriptor": "AIRPORT"}, on="bank"),
    Row({"statement_descriptor_suffix": "GATE"}, {"statement_descriptor_suffix": "GATE"}),
    shown("transfer_group"),
]
ON_CONFIRMING = [
    unknown("confirmation_token"),
    Row({"error_on_requires_action": "true"}, Refused("authentication_required", "error_on_requires_action"), beside=ASKS),
    unknown("mandate"),
    Row({"mandate_data[customer_acceptance][type]": "offline"}, NO_MANDATE),
    Row({"off_session": "true"}, Refused("authentication_required", "requires authentication"), beside=ASKS),
    Row({"radar_options[session]": "rse_1"}, {"latest_charge.radar_options.session": "rse_1"},
        beside={"expand[]": "latest_charge"}),
    Row({"return_url": "https://example.com/"}, {"next_action.redirect_to_url.return_url": "https://example.com/"}, beside=ASKS),
    Row({"use_stripe_sdk": "true"}, {"next_action.type": "use_stripe_sdk"},
        beside={**ASKS, "return_url": "https://example.com/"}),
]  # fmt: skip


def also(rows, beside):
    """Give more beside each row; what a row itself gives comes first."""
    return [Row(row.given, row.effect, {**beside, **row.beside}, row.on) for row in rows]


def pages(kind, extra=()):
    """Return the rows that every list has; the world holds at least two of each kind."""
    return [
        expands("data.nothing", Refused(None, "cannot be expanded")),
        Row({"limit": 1}, {"data.#": 1, "has_more": True}),
        Row({"limit": 0}, Refused("parameter_invalid_integer", "limit")),
        Row({"limit": 101}, Refused("parameter_invalid_integer", "limit")),
        Row({"starting_after": f"{{{kind}_newest}}"}, {"data.0.id": f"{{{kind}_second}}"}),
        Row({"starting_after": "x_1"}, Refused(MISSING, "x_1")),
        Row({"ending_before": f"{{{kind}_second}}"}, {"data.#": 1, "data.0.id": f"{{{kind}_newest}}"}),
        *extra,
    ]


def in_time(kind):
    return [
        Row({f"created[{name}]": moment}, {"data.#": 0})
        for name, moment in (("gt", 9999999999), ("gte", 9999999999), ("lt", 1), ("lte", 1))
    ] + [Row({"created": 1}, {"data.#": 0})] + [
        Row({"created[gte]": 1}, Ignored("all were made since")), Row({"created[near]": 1}, Refused("parameter_unknown", "near")),
    ]  # fmt: skip


NO_EXPANSION = [expands("nothing", Refused(None, "cannot be expanded"))]
SEARCH = [
    Row({"query": "metadata['a']:'none'"}, {"data.#": 0}),
    Row({"query": "("}, Refused(None, "search query")),
    Row({"limit": 1}, {"data.#": 1, "has_more": True}),
    Row({"page": "MQ=="}, {"data.0.id": "{SECOND}"}),
    Row({"page": "x"}, Refused(None, "page")),
    expands("data.nothing", Refused(None, "cannot be expanded")),
]


def search(kind):
    return [
        Row(row.given, {k: v.replace("SECOND", f"{kind}_second") if isinstance(v, str) else v for k, v in
            row.effect.items()} if isinstance(row.effect, dict) else row.effect)
        for row in SEARCH
    ]  # fmt: skip


CUSTOMER = [
    Row({"address[city]": "Oslo"}, {"address.city": "Oslo"}),
    Row({"balance": -500}, {"balance": -500}),
    shown("business_name"),
    shown("description"),
    Row({"email": "a@example.com"}, {"email": "a@example.com"}),
    Row({"email": "a"}, Refused("email_invalid", "Invalid email")),
    shown("individual_name"),
    shown("invoice_prefix", "ABC"),
    Row({"invoice_settings[footer]": "Bye"}, {"invoice_settings.footer": "Bye"}),
    Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
    shown("name"),
    Row({"next_invoice_sequence": 7}, {"next_invoice_sequence": 7}),
    shown("phone", "1"),
    Row({"preferred_locales[]": "nb"}, {"preferred_locales.0": "nb"}),
    Row(SHIPPING, SHIPPED),
    unknown("source", "tok_none"),
    Row({"tax_exempt": "exempt"}, {"tax_exempt": "exempt"}),
    Row({"cash_balance[settings][reconciliation_mode]": "manual"}, Refused(None, "FakeStripe")),
    Row({"tax[ip_address]": "::1"}, Refused(None, "FakeStripe")),
    *NO_EXPANSION,
]
ENDPOINT_OF_HOOKS = [
    Row({"description": "Ours"}, {"description": "Ours"}),
    Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
    Row({"enabled_events[]": "refund.created"}, {"enabled_events.0": "refund.created"}),
    Row({"url": "https://example.com/other"}, {"url": "https://example.com/other"}),
    *NO_EXPANSION,
]
V2_PAGE = [
    Row({"limit": 1}, {"data.#": 1}),
    Row({"page": "MQ=="}, {"data.0.id": DIFFERS}),
    Row({"page": "x"}, Refused(None, "page")),
]
TABLE = {
    "POST /v1/payment_intents": ("", NEW, [
        *OF_AN_INTENT, *BEFORE_CONFIRMING, *also(ON_CONFIRMING, PAID),
        Row({"amount": 2001}, {"amount": 2001}),
        Row({"currency": "eur"}, {"currency": "eur"}),
        Row({"automatic_payment_methods[enabled]": "true"}, {"automatic_payment_methods.enabled": True},
            beside={"payment_method_types[]": None}, on="plain"),
        Row({"confirm": "true"}, {"status": "succeeded", "amount_received": 2000}, beside=VISA),
        Row({"confirmation_method": "manual"}, {"confirmation_method": "manual"}),
        Row({"on_behalf_of": "acct_1Other"}, {"on_behalf_of": "acct_1Other"}),
        Row({"application_fee_amount": 100}, {"application_fee_amount": 100},
            beside={"transfer_data[destination]": "acct_1Other"}),
        Row({"transfer_data[destination]": "acct_1Other"}, {"transfer_data.destination": "acct_1Other"}),
    ]),
    "POST /v1/payment_intents/{intent}": ("{open}", {}, [
        *OF_AN_INTENT, *BEFORE_CONFIRMING,
        Row({"amount": 2001}, {"amount": 2001}),
        Row({"currency": "eur"}, {"currency": "eur"}),
        Row({"application_fee_amount": 100}, {"application_fee_amount": 100}, on="{for_other_open}"),
        Row({"transfer_data[amount]": 100}, {"transfer_data.amount": 100, "transfer_data.destination": "acct_1Other"},
            on="{for_other_open}"),
        Row({"transfer_data[amount]": 100}, Refused(None, "transfer_data")),
    ]),
    "POST /v1/payment_intents/{intent}/confirm": ("{open}", VISA, [
        *[row for row in OF_AN_INTENT if "setup_future_usage" not in row.given
            and "payment_method_types[]" not in row.given], *ON_CONFIRMING,
        Row({"setup_future_usage": "on_session"}, {"setup_future_usage": "on_session"}),
        Row({"payment_method_types[]": "sepa_debit"}, Refused(None, "sepa_debit")),
        Row({"amount_to_confirm": 1000}, Refused(None, "FakeStripe")),
        Row({"client_secret": "x"}, Refused(None, "does not match")),
        Row({"payment_method": "pm_card_visa_chargeDeclined"}, Refused("card_declined", "declined")),
        Row({"payment_method_data[type]": "us_bank_account", "payment_method": None}, {"status": "processing"},
            beside={"payment_method_types[]": "us_bank_account"}),
    ]),
    "POST /v1/payment_intents/{intent}/capture": ("{authorised}", {}, [
        Row({"amount_details[tax][total_tax_amount]": 100}, {"amount_details.tax.total_tax_amount": "100"}),
        Row({"amount_to_capture": 500}, {"amount_received": 500}),
        Row({"amount_to_capture": 2001}, Refused("amount_too_large", "greater than")),
        Row({"application_fee_amount": 10}, {"application_fee_amount": 10}, on="{for_other}"),
        Row({"final_capture": "false"}, Refused(None, "multicapture")),
        Row({"hooks[inputs][tax][calculation]": "taxcalc_1"}, {"hooks.inputs.tax.calculation": "taxcalc_1"}),
        Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
        Row({"payment_details[order_reference]": "o-1"}, {"payment_details.order_reference": "o-1"}),
        Row({"statement_descriptor": "AIRPORT"}, CARD_DESCRIPTOR),
        Row({"statement_descriptor_suffix": "GATE"}, {"statement_descriptor_suffix": "GATE"}),
        Row({"transfer_data[amount]": 100}, {"transfer_data.amount": 100}, on="{for_other}"),
        Row({"transfer_data[amount]": 100}, Refused(None, "transfer_data")),
        expands("latest_charge", {"latest_charge.captured": True}),
    ]),
    "POST /v1/payment_intents/{intent}/cancel": ("{open}", {}, [
        *[Row({"cancellation_reason": word}, {"cancellation_reason": word})
            for word in ("duplicate", "fraudulent", "requested_by_customer", "abandoned")],
        Row({"cancellation_reason": "expired"}, Refused(None, "must be one of")),
        expands("payment_method", Ignored("it has none")),
    ]),
    "GET /v1/payment_intents/{intent}": ("{paid}", {}, [
        Row({"client_secret": "x"}, Refused(None, "does not match")),
        expands("latest_charge.balance_transaction", {"latest_charge.balance_transaction.net": 1912}),
    ]),
    "GET /v1/payment_intents": ("", {}, pages("payment_intent", [
        *in_time("payment_intent"),
        Row({"customer": "{customer}"}, {"data.#": 1}),
        unknown("customer_account"),
    ])),
    "GET /v1/payment_intents/search": ("", {"query": "created>0"}, search("payment_intent")),
    "GET /v1/customers/search": ("", {"query": "created>0"}, search("customer")),
    "GET /v1/charges/{charge}": ("{charge}", {}, [expands("payment_intent", {"payment_intent.id": "{paid}"})]),
    "GET /v1/charges": ("", {}, pages("charge", [
        *in_time("charge"),
        Row({"customer": "{customer}"}, {"data.#": 1}),
        Row({"payment_intent": "{paid}"}, {"data.#": 1, "data.0.id": "{charge}"}),
        Row({"transfer_group": "none"}, {"data.#": 0}),
    ])),
    "POST /v1/charges/{charge}": ("{charge}", {}, [
        Row({"customer": "{customer}"}, {"customer": "{customer}"}),
        Row({"customer": "{other}"}, Refused(None, "customer"), on="{charge_of_customer}"),
        shown("description"), shown("receipt_email", "a@example.com"), shown("transfer_group"),
        Row({"fraud_details[user_report]": "safe"}, {"fraud_details.user_report": "safe"}),
        Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
        Row({"shipping[name]": "Ann", "shipping[address][line1]": "1"}, {"shipping.name": "Ann"}),
        *NO_EXPANSION,
    ]),
    "POST /v1/refunds": ("", {"payment_intent": "{paid}"}, [
        Row({"amount": 100}, {"amount": 100}),
        Row({"amount": 2001}, Refused(None, "greater than unrefunded")),
        Row({"charge": "{charge}"}, Refused(None, "only specify one")),
        Row({"charge": "{charge}"}, {"charge": "{charge}"}, beside={"payment_intent": None}),
        Row({"currency": "eur"}, Refused(None, "currency")),
        Row({"customer": "{customer}"}, Refused(None, "FakeStripe")),
        Row({"origin": "customer_balance"}, Refused(None, "FakeStripe")),
        Row({"instructions_email": "a@example.com"}, {"instructions_email": "a@example.com"}),
        Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
        Row({"payment_intent": "pi_none"}, Refused(MISSING, "pi_none")),
        *[Row({"reason": word}, {"reason": word}) for word in ("duplicate", "fraudulent", "requested_by_customer")],
        Row({"refund_application_fee": "true"}, Refused(None, "application fee")),
        Row({"reverse_transfer": "true"}, Refused(None, "transfer")),
        expands("charge", {"charge.amount_refunded": 2000}),
    ]),
    "GET /v1/refunds": ("", {}, pages("refund", [
        *in_time("refund"),
        Row({"charge": "ch_none"}, {"data.#": 0}),
        Row({"payment_intent": "{partly}"}, {"data.#": 2}),
    ])),
    "GET /v1/refunds/{refund}": ("{refund_newest}", {}, [expands("charge", {"charge.object": "charge"})]),
    "POST /v1/refunds/{refund}": ("{refund_newest}", {}, [
        Row({"metadata[a]": "1"}, {"metadata.a": "1"}), expands("charge", {"charge.object": "charge"}),
    ]),
    "POST /v1/refunds/{refund}/cancel": ("{refund_waiting}", {}, [expands("charge", {"charge.object": "charge"})]),
    "GET /v1/disputes": ("", {}, pages("dispute", [
        *in_time("dispute"),
        Row({"charge": "ch_none"}, {"data.#": 0}), Row({"payment_intent": "{disputed}"}, {"data.#": 1}),
    ])),
    "GET /v1/disputes/{dispute}": ("{dispute_newest}", {}, [expands("charge", {"charge.object": "charge"})]),
    "POST /v1/disputes/{dispute}": ("{dispute_newest}", {}, [
        Row({"evidence[product_description]": "A flight"}, {"evidence.product_description": "A flight",
            "status": "under_review", "evidence_details.submission_count": 1}),
        Row({"submit": "false"}, {"status": "needs_response", "evidence_details.submission_count": 0},
            beside={"evidence[product_description]": "A flight"}),
        Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
        expands("charge", {"charge.object": "charge"}),
    ]),
    "POST /v1/disputes/{dispute}/close": ("{dispute_newest}", {}, [expands("charge", {"charge.object": "charge"})]),
    "GET /v1/events": ("", {}, pages("event", [
        *in_time("event"),
        Row({"type": "customer.created"}, {"data.#": 2}),
        Row({"type": "charge.dispute.*"}, {"data.0.type": "charge.dispute.funds_withdrawn"}),
        Row({"types[]": "customer.created"}, {"data.#": 2}),
        Row({"delivery_success": "false"}, {"data.#": 0}),
        Row({"delivery_success": "true"}, Ignored("all were delivered, there being nobody to deliver to")),
    ])),
    "GET /v1/events/{id}": ("{event_newest}", {}, NO_EXPANSION),
    "GET /v1/balance_transactions": ("", {}, pages("balance_transaction", [
        *in_time("balance_transaction"),
        Row({"currency": "eur"}, {"data.#": 0}), Row({"source": "{charge}"}, {"data.#": 1}),
        Row({"type": "refund"}, {"data.#": 2}), unknown("payout", "po_1"),
    ])),
    "GET /v1/balance_transactions/{id}": ("{balance_transaction_newest}", {}, [
        expands("source", {"source.object": "dispute"}),
    ]),
    "POST /v1/customers": ("", {}, [
        *CUSTOMER,
        Row({"payment_method": "pm_card_visa_chargeDeclined"}, Refused("card_declined", "declined")),
        Row({"tax_id_data[0][type]": "eu_vat", "tax_id_data[0][value]": "x"}, Refused(None, "FakeStripe")),
        unknown("test_clock", "clock_1"),
    ]),
    "POST /v1/customers/{customer}": ("{customer}", {}, CUSTOMER),
    "GET /v1/customers/{customer}": ("{customer}", {}, NO_EXPANSION),
    "GET /v1/customers": ("", {}, pages("customer", [
        *in_time("customer"), Row({"email": "none@example.com"}, {"data.#": 0}),
    ])),
    "GET /v1/customers/{customer}/payment_methods": ("{customer}", {}, pages("saved", [
        Row({"type": "sepa_debit"}, {"data.#": 0}), Row({"allow_redisplay": "always"}, {"data.#": 0}),
    ])),
    "GET /v1/customers/{customer}/payment_methods/{payment_method}": ("{customer}|{saved_newest}", {}, [
        expands("customer", {"customer.object": "customer"}),
    ]),
    "GET /v1/payment_methods": ("", {}, pages("payment_method", [
        Row({"customer": "{customer}"}, {"data.#": 2}), Row({"type": "sepa_debit"}, {"data.#": 0}),
    ])),
    "GET /v1/payment_methods/{payment_method}": ("{saved_newest}", {}, [
        expands("customer", {"customer.object": "customer"}),
    ]),
    "POST /v1/payment_methods": ("", {"type": "us_bank_account"}, [
        Row({"allow_redisplay": "always"}, {"allow_redisplay": "always"}),
        Row({"billing_details[name]": "Ann"}, {"billing_details.name": "Ann"}),
        Row({"card[token]": "tok_visa"}, {"card.brand": "visa"}, beside={"type": "card"}, on="bare"),
        Row({"sepa_debit[iban]": "AT611904300234573201"}, {"sepa_debit.country": "AT"}, beside={"type": "sepa_debit"},
            on="bare"),
        Row({"us_bank_account[account_number]": "000222222227"}, {"us_bank_account.last4": "2227"}),
        Row({"customer": "{customer}"}, Refused(None, "FakeStripe")),
        Row({"payment_method": "pm_card_visa"}, Refused(None, "FakeStripe")),
        Row({"type": "ideal"}, Refused(None, "not part of this fake")),
        Row({"metadata[a]": "1"}, {"metadata.a": "1"}),
        Row({"radar_options[session]": "rse_1"}, {"radar_options.session": "rse_1"}),
            *NO_EXPANSION,
    ]),
    "POST /v1/payment_methods/{payment_method}/attach": ("pm_card_visa", {"customer": "{customer}"}, [
        Row({"customer": "{other}"}, {"customer": "{other}"}),
        unknown("customer_account"),
        expands("customer", {"customer.object": "customer"}),
    ]),
    "POST /v1/payment_methods/{payment_method}/detach": ("{saved_newest}", {}, NO_EXPANSION),
    "POST /v1/webhook_endpoints": ("", {"url": "https://example.com/", "enabled_events[]": "*"}, [
        *ENDPOINT_OF_HOOKS,
        Row({"api_version": "2026-10-28.endive"}, {"api_version": "2026-10-28.endive"}),
        Row({"connect": "true"}, Ignored("Stripe shows `application`, of Connect platforms with an app of their own")),
    ]),
    "GET /v1/webhook_endpoints": ("", {}, pages("webhook_endpoint")),
    "GET /v1/webhook_endpoints/{webhook_endpoint}": ("{webhook_endpoint_newest}", {}, NO_EXPANSION),
    "POST /v1/webhook_endpoints/{webhook_endpoint}": ("{webhook_endpoint_newest}", {}, [
        *ENDPOINT_OF_HOOKS, Row({"disabled": "true"}, {"status": "disabled"}),
    ]),
    "GET /v1/account": ("", {}, NO_EXPANSION),
    "DELETE /v1/customers/{customer}": ("{customer}", {}, []),
    "DELETE /v1/webhook_endpoints/{webhook_endpoint}": ("{webhook_endpoint_newest}", {}, []),
    "GET /v2/core/events": ("", {}, [
        *V2_PAGE,
        *[Row({f"created[{name}]": f"{year}-01-01T00:00:00Z"}, {"data.#": 0})
            for name, year in (("gt", 2100), ("gte", 2100), ("lt", 2000), ("lte", 2000))],
        Row({"object_id": "{customer}"}, {"data.#": 1}),
        Row({"types[]": "v1.customer.created"}, {"data.#": 2}),
    ]),
    "GET /v2/core/events/{id}": ("{thin_event}", {}, []),
    "GET /v2/core/event_destinations": ("", {}, [
        *V2_PAGE,
        Row({"include[]": "webhook_endpoint.url"}, {"data.0.webhook_endpoint.url": "https://example.com/hooks2"}),
    ]),
    "GET /v2/core/event_destinations/{id}": ("{webhook_endpoint_newest}", {}, [
        Row({"include[]": "webhook_endpoint.url"}, {"webhook_endpoint.url": "https://example.com/hooks2"}),
    ]),
}  # fmt: skip
