"""The settings fail at the start and not at the first customer, and the message never shows a value."""

import pytest

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.secret import Secret
from airport_payments.settings import MAX_WEBHOOK_SECRETS, VARIABLES, StripeSettings

KEY = "sk_test_CANARY00"
HOOK = "whsec_CANARY0000"


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "pk_test_CANARY00"}, "publishable"),
        ({"api_key": "whsec_CANARY0000"}, "api_key"),
        ({"api_key": "sk_CANARY000000"}, "api_key"),
        ({"api_key": "sk_prod_CANARY00"}, "api_key"),
        ({"api_key": f" {KEY}"}, "api_key"),
        ({"api_key": f"{KEY}\n"}, "api_key"),
        ({"api_key": f"{KEY}ä"}, "api_key"),
        ({"api_key": Secret("CANARY")}, "api_key"),
        ({"webhook_secrets": ""}, "webhook_secrets"),
        ({"webhook_secrets": ()}, "webhook_secrets"),
        ({"webhook_secrets": " "}, "webhook_secrets"),
        ({"webhook_secrets": "whsec_"}, "webhook_secrets"),
        ({"webhook_secrets": "whsec_short"}, "webhook_secrets"),
        ({"webhook_secrets": KEY}, "webhook_secrets"),
        ({"webhook_secrets": (HOOK, "")}, "webhook_secrets"),
        ({"webhook_secrets": f"{HOOK} "}, "webhook_secrets"),
        ({"webhook_secrets": (HOOK,) * (MAX_WEBHOOK_SECRETS + 1)}, "webhook_secrets"),
        ({"publishable_key": KEY}, "publishable_key"),
        ({"publishable_key": "pk_live_CANARY00"}, "mode"),
        ({"api_key": "sk_org_test_CANARY"}, "stripe_context"),
        ({"api_key": "sk_org_CANARY0000", "stripe_context": "acct_1"}, "api_key"),
        ({"api_key": "rk_org_test_CANARY", "stripe_context": "acct_1"}, "api_key"),
        ({"api_key": "sk_org_test_CANARY", "stripe_account": "acct_1"}, "stripe_context"),
        ({"api_key": "sk_org_live_CANARY", "stripe_context": "acct_1", "publishable_key": "pk_test_CANARY00"}, "mode"),
        ({"stripe_account": ""}, "stripe_account"),
        ({"stripe_account": "CANARY"}, "stripe_account"),
        ({"stripe_account": "acct_"}, "stripe_account"),
        ({"stripe_account": "acct_1/acct_2"}, "stripe_account"),
        ({"stripe_account": "acct_1\r\nX-Evil: 1"}, "stripe_account"),
        ({"stripe_account": "acct_1\n"}, "stripe_account"),
        ({"stripe_context": ""}, "stripe_context"),
        ({"stripe_context": "acct_1/"}, "stripe_context"),
        ({"stripe_context": "/acct_1"}, "stripe_context"),
        ({"stripe_context": "acct_1/../acct_2"}, "stripe_context"),
        ({"stripe_context": "/".join(["acct_1"] * 5)}, "stripe_context"),
        ({"stripe_account": "acct_1", "stripe_context": "acct_1"}, "one of them"),
        ({"namespace": ""}, "namespace"),
        ({"namespace": "a/b"}, "namespace"),
        ({"namespace": "x" * 41}, "namespace"),
        ({"api_base": "http://api.stripe.com"}, "api_base"),
        ({"api_base": "http://127.0.0.1.evil.example"}, "api_base"),
        ({"api_base": "https://api.stripe.com/v1"}, "api_base"),
        ({"api_base": "https://user:CANARY@api.stripe.com"}, "api_base"),
        ({"api_base": "ftp://localhost"}, "api_base"),
        ({"api_base": "https://api.stripe.com\n"}, "api_base"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": 81}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"max_tries": 0}, "max_tries"),
        ({"max_tries": 11}, "max_tries"),
        ({"tolerance_s": 0}, "tolerance_s"),
        ({"tolerance_s": -1}, "tolerance_s"),
        ({"tolerance_s": 3601}, "tolerance_s"),
    ],
)
def test_what_is_certainly_wrong_is_refused_by_name_and_never_by_value(changes, setting) -> None:
    with pytest.raises(ConfigurationError, match=setting) as caught:
        StripeSettings(**{"api_key": KEY, "webhook_secrets": HOOK, **changes})
    assert "CANARY" not in str(caught.value)


def test_keys_and_secrets_are_held_and_read_back() -> None:
    for given in (HOOK, Secret(HOOK), (HOOK,), [Secret(HOOK)]):
        settings = StripeSettings(Secret(KEY), given)
        assert (settings.key.reveal(), [s.reveal() for s in settings.secrets]) == (KEY, [HOOK])
        assert "CANARY" not in repr(settings)


def test_restricted_keys_are_keys_and_the_key_decides_the_mode() -> None:
    for key, live in (("sk_test_0000", False), ("rk_test_0000", False), ("sk_live_0000", True), ("rk_live_0000", True)):
        settings = StripeSettings(key, HOOK)
        assert settings.livemode is settings.policy.livemode is live


def test_a_key_of_an_organisation_is_a_key_once_it_says_for_which_account() -> None:
    for mode, live in (("test", False), ("live", True)):
        settings = StripeSettings(f"sk_org_{mode}_CANARY", HOOK, stripe_context="acct_0/acct_1")
        assert settings.livemode is settings.policy.livemode is live
        assert (settings.policy.account, settings.policy.context) == (None, "acct_0/acct_1")
    settings = StripeSettings(KEY, HOOK, stripe_account="acct_1")
    assert (settings.policy.account, settings.policy.context) == ("acct_1", None)


class TestFromEnv:
    def test_it_reads_for_which_account(self) -> None:
        keys = {"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": HOOK}
        assert StripeSettings.from_env({**keys, "STRIPE_ACCOUNT": "acct_1"}).stripe_account == "acct_1"
        assert StripeSettings.from_env({**keys, "STRIPE_CONTEXT": "acct_0/acct_1"}).stripe_context == "acct_0/acct_1"
        unset = StripeSettings.from_env({**keys, "STRIPE_ACCOUNT": "", "STRIPE_CONTEXT": ""})
        assert (unset.stripe_account, unset.stripe_context) == (None, None)

    def test_it_reads_the_variables_of_the_contract(self) -> None:
        settings = StripeSettings.from_env(
            {
                "STRIPE_SECRET_KEY": KEY,
                "STRIPE_WEBHOOK_SECRET": f"{HOOK}, whsec_another000 ,",
                "STRIPE_PUBLISHABLE_KEY": "pk_test_0000",
                "STRIPE_API_BASE": "http://localhost:12111/",
                "AIRPORT_PAYMENTS_NAMESPACE": "lis",
            }
        )
        assert len(settings.secrets) == 2
        assert (settings.api_base, settings.namespace, settings.policy.namespace) == (
            "http://localhost:12111",
            "lis",
            "lis",
        )

    @pytest.mark.parametrize("missing", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"])
    @pytest.mark.parametrize("empty", [None, "", ",", " , "])
    def test_no_key_or_no_secret_is_no_start(self, missing, empty) -> None:
        env = {"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": HOOK, missing: empty}
        with pytest.raises(ConfigurationError, match=missing):
            StripeSettings.from_env({k: v for k, v in env.items() if v is not None})

    @pytest.mark.parametrize("given", [5, "STRIPE_SECRET_KEY=x", [("STRIPE_SECRET_KEY", KEY)], dict.fromkeys])
    def test_what_is_no_mapping_is_no_environment(self, given) -> None:
        with pytest.raises(ConfigurationError, match=r"environ: .* os\.environ"):
            StripeSettings.from_env(given)

    @pytest.mark.parametrize("name", VARIABLES)
    def test_a_variable_that_is_no_text_is_named(self, name) -> None:
        with pytest.raises(ConfigurationError, match=f"{name}: it is no text"):
            StripeSettings.from_env({"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": HOOK, name: 5})

    def test_it_reads_the_process_by_default(self, monkeypatch) -> None:
        monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", HOOK)
        assert StripeSettings.from_env().key.reveal() == KEY


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": None},
        {"api_key": 5},
        {"webhook_secrets": None},
        {"webhook_secrets": [None]},
        {"webhook_secrets": b"whsec_0123456789abcdef"},
        {"webhook_secrets": ()},
        {"publishable_key": 5},
        {"namespace": None},
        {"api_base": None},
        {"stripe_account": 5},
        {"stripe_context": ["acct_1"]},
        {"timeout_s": None},
        {"timeout_s": "8"},
        {"timeout_s": 0},
        {"max_tries": True},
        {"tolerance_s": "300"},
    ],
)
def test_a_setting_of_the_wrong_kind_is_the_typed_error_and_names_the_setting(changes) -> None:
    good = {"api_key": "sk_test_0123", "webhook_secrets": "whsec_0123456789abcdef"}
    with pytest.raises(ConfigurationError) as caught:
        StripeSettings(**{**good, **changes})
    assert next(iter(changes)) in str(caught.value)
