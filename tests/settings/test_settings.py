"""The configuration file is read whole, overridden by the environment, and refused with the way to mend it."""

from pathlib import Path

import pytest

from gateway.settings import SettingsRefused, load_settings

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
        ("", {"CONCORD_SERVR__PORT": "1"}, ["unknown key `servr`; did you mean `server`?"]),
        ("[server]\nport = 70000", {}, ["`server.port`: Input should be less than or equal to 65535."]),
        ("[server]\nport = 'x'\nhost = 5", {}, ["`server.host`: Input should be a valid string.", "`server.port`: "]),
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


def test_a_missing_file_names_the_option_that_gives_another():
    with pytest.raises(SettingsRefused, match=r"nowhere\.toml; name one with --config"):
        load_settings(Path("nowhere.toml"), {})
