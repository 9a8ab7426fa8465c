"""The configuration file is read whole, overridden by the environment, and refused with the way to mend it."""

from decimal import Decimal
from pathlib import Path

import pytest

from gateway.access.csrf import CsrfPolicy
from gateway.settings import SettingsRefused, load_ownership, load_settings

SUBGRAPH = '[subgraphs.crm]\nurl = "http://127.0.0.1:1/graphql"\nschema = "crm.graphql"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "concord.toml"
    path.write_text(text)
    return path


def test_the_file_that_ships_is_valid():
    settings = load_settings(environment={})
    assert {"identity", "crm", "billing", "erp", "concord"} == set(settings.subgraphs)


def test_the_environment_overrides_the_file_and_reaches_names_with_dashes(tmp_path):
    path = written(tmp_path, SUBGRAPH.replace("crm]", "crm-eu]") + "[server]\nport = 1\n")
    environment = {
        "CONCORD_SERVER__PORT": "4100",
        "CONCORD_SUBGRAPHS__CRM_EU__TIMEOUT_S": "2.5",
        "CONCORD_CRM_PORT": "x",
    }
    settings = load_settings(path, environment)
    assert (settings.server.port, settings.subgraphs["crm-eu"].timeout_s) == (4100, 2.5)


@pytest.mark.parametrize(
    ("text", "environment", "problems"),
    [
        ("[servr]\nport = 1", {}, ["unknown key `servr`; did you mean `server`?"]),
        ("[server]\nprot = 1", {}, ["unknown key `server.prot`; did you mean `port`?"]),
        (SUBGRAPH + "timeout = 1", {}, ["unknown key `subgraphs.crm.timeout`; did you mean `timeout_s`?"]),
        ("[state]\nzzz = 1", {}, ["unknown key `state.zzz`; known here: directory."]),
        ("", {"CONCORD_SERVR__PORT": "1"}, ["CONCORD_SERVR__PORT: unknown key `servr`; did you mean `server`?"]),
        (
            "[servr]\nport = 1\n[server]\nprot = 1",
            {"CONCORD_SERVR__PORT": "1", "CONCORD_SERVER__HOTS": "1"},
            [
                "concord.toml: unknown key `server.prot`; did you mean `port`?",
                "CONCORD_SERVER__HOTS: unknown key `server.hots`; did you mean `host`?",
                "concord.toml: unknown key `servr`; did you mean `server`?",
            ],
        ),
        ("[server]\nport = 70000", {}, ["`server.port`: Expected `int` <= 65535."]),
        ("", {"CONCORD_SERVER__PORT": "many"}, ["CONCORD_SERVER__PORT: `server.port`: Expected `int`, got `str`."]),
        (
            SUBGRAPH,
            {"CONCORD_SUBGRAPHS__CRM__TIMEOUT_S": "x"},
            ["CONCORD_SUBGRAPHS__CRM__TIMEOUT_S: `subgraphs.crm.ti"],
        ),
        (
            "[server]\nport = 'x'\nhost = 5",
            {},
            ["`server.host`: Expected `str`, got `int`.", "`server.port`: Expected `int`, got `str`."],
        ),
        ("server = 3", {}, ["`server`: Expected a table, got `int`."]),
        ("[server]\ncors_origins = ['a', 2]", {}, ["`server.cors_origins[1]`: Expected `str`, got `int`."]),
        ("[server]\ncsrf = 'no'", {}, ["`server.csrf`: Invalid enum value 'no'; known here: `fetch-metadata`, "]),
        ("[state]\ndirectory = 3", {}, ["`state.directory`: Expected `str`, got `int`."]),
        ("[events]\nredis_url = 'http://x'", {}, ["`events.redis_url`: Expected `str` matching regex '^rediss?://'."]),
        ("[events.feed_keys]\ndaily = 'short'", {}, ["`events.feed_keys.daily`: Expected `str` of length >= 16."]),
        ("[contracts.Of-All]\n", {}, ["`contracts.Of-All`: Expected `str` matching regex "]),
        ("[webhooks.desk]\nurl = 'http://x'", {}, ["`webhooks.desk.secret`: is missing."]),
        (
            "[reconciliation.tolerances]\npayed = {}\npaid = { amount = -1 }",
            {},
            [
                "`reconciliation.tolerances.payed`: Invalid enum value 'payed'; known here: `contractValue`, `invoiced`, ",
                "`reconciliation.tolerances.paid`: `amount` must be 0 or more.",
            ],
        ),
        ("[workflows]\napproval_above = nan", {}, ["`workflows`: `approval_above` must be 0 or more."]),
        (
            "[workflows.pricing]\nrules = [{ authority = 'cpq', abve = 1 }]",
            {},
            ["unknown key `workflows.pricing.rules[0].abve`; did you mean `above`?"],
        ),
        ("[workflows.pricing]\nauthority = 'cpq'", {}, ["`workflows.pricing`: `cpq_url` is needed where the CPQ "]),
        (
            "[access.issuers.a]\nissuer = 'i'\naudience = []\nalgorithms = ['HS256']\njwks = 'k'",
            {},
            [
                "`access.issuers.a.audience`: Expected `array` of length >= 1.",
                "`access.issuers.a.algorithms[0]`: Invalid enum value 'HS256'; known here: `ES256`, ",
            ],
        ),
        *(
            (
                f"[access.issuers.a]\nissuer = 'i'\naudience = ['a']\nalgorithms = ['ES256']\njwks_url = '{url}'",
                {},
                [says],
            )
            for url, says in (
                ("https:///keys", "`access.issuers.a`: `jwks_url` names no server: 'https:///keys'."),
                ("https://login.example:x/", "`access.issuers.a`: Port could not be cast to integer value as 'x'."),
                ("http://login.example/", "`access.issuers.a`: `jwks_url` must start with https://"),
            )
        ),
        ("server = 3", {"CONCORD_SERVER__PORT": "1"}, ["CONCORD_SERVER__PORT steps into `server`, which is a value"]),
        ("[subgraphs.crm]\nschema = 'x'", {}, ["`subgraphs.crm`: needs either `url` or `in_process`, not both."]),
        ("[subgraphs.crm]\nschema = 'x'\nurl = 'ftp://x'", {}, ["`url` must start with http:// or https://"]),
        ("[server", {}, ["is not TOML"]),
    ],
)
def test_a_wrong_configuration_is_refused_with_every_problem_and_the_nearest_name(
    tmp_path, text, environment, problems
):
    with pytest.raises(SettingsRefused) as refused:
        load_settings(written(tmp_path, text), environment)
    assert len(refused.value.problems) == len(problems)
    for found, expected in zip(refused.value.problems, problems, strict=True):
        assert expected in found


def test_what_a_configuration_leaves_out_is_nothing_of_the_product_s_own(tmp_path):
    settings = load_settings(written(tmp_path, SUBGRAPH), {})
    assert (settings.supergraph.path, settings.supergraph.api_path) == (
        Path("supergraph.graphql"),
        Path("api.graphql"),
    )
    assert (settings.supergraph.ownership, settings.events.contracts) == (None, None)
    assert load_ownership(settings) is None


def test_an_ownership_table_that_is_named_must_be_there(tmp_path):
    settings = load_settings(written(tmp_path, '[supergraph]\nownership = "shema/ownership.toml"'), {})
    with pytest.raises(SettingsRefused, match=r"`supergraph.ownership`: there is no file shema/ownership\.toml"):
        load_ownership(settings)


def test_a_missing_file_names_the_option_that_gives_another():
    with pytest.raises(SettingsRefused, match=r"nowhere\.toml; name one with --config"):
        load_settings(Path("nowhere.toml"), {})


def test_what_is_secret_is_not_shown_by_whoever_prints_the_settings(tmp_path):
    secret = "a secret of our own"
    settings = load_settings(
        written(tmp_path, ""), {"CONCORD_SECRETS__INTERNAL": secret, "CONCORD_METRICS__KEY": secret}
    )
    assert (settings.secrets.internal, settings.metrics.key) == (secret, secret)
    assert secret not in f"{settings}{settings!r}"
    assert repr(settings.secrets) == "SecretsSettings(internal=…)"


def test_amounts_keep_their_digits_and_paths_and_choices_are_what_they_stand_for(tmp_path):
    text = "[workflows]\napproval_above = '10000.10'\n[reconciliation.tolerances]\npaid = { percent = 0.5 }\n"
    environment = {"CONCORD_STATE__DIRECTORY": "/var/lib/concord", "CONCORD_SERVER__CSRF": "strict"}
    settings = load_settings(written(tmp_path, text), environment)
    assert settings.workflows.approval_above == Decimal("10000.10")
    assert settings.reconciliation.tolerances["paid"].percent == Decimal("0.5")
    assert settings.state.directory == Path("/var/lib/concord")
    assert settings.server.csrf is CsrfPolicy.STRICT


def test_the_environment_switches_what_is_yes_or_no(tmp_path):
    for text, expected in (("true", True), ("1", True), ("false", False), ("0", False)):
        assert load_settings(written(tmp_path, ""), {"CONCORD_WORKFLOWS__ENABLED": text}).workflows.enabled is expected


def test_settings_do_not_change_once_they_are_read():
    settings = load_settings(environment={})
    with pytest.raises(AttributeError):
        settings.server.port = 1
