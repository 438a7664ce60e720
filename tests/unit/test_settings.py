from __future__ import annotations

from pathlib import Path

import pytest

from sdsafe.core.request import PromptDisclosure
from sdsafe.errors import ConfigurationError
from sdsafe.settings import Settings


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def _load(env: dict[str, str], tmp_path: Path, **arguments: object) -> Settings:
    return Settings.load(env, site=tmp_path / "site.toml", **arguments)


def _user_file(env: dict[str, str], text: str) -> None:
    path = Path(env["HOME"]) / ".config" / "sdsafe" / "settings.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def test_defaults_check_prompt_and_output(nowhere: dict[str, str], tmp_path: Path) -> None:
    settings = _load(nowhere, tmp_path)
    assert settings.policies == ("baseline",)
    assert settings.prompt_checks
    assert settings.output_checks
    assert settings.prompt_disclosure is PromptDisclosure.FULL
    assert settings.places.state == tmp_path / "home" / ".local" / "share" / "sdsafe"
    assert settings.places.cache == tmp_path / "home" / ".cache" / "sdsafe"


def test_file_then_environment_then_argument(nowhere: dict[str, str], tmp_path: Path) -> None:
    _user_file(nowhere, 'model = "file"\ndevice = "file"\nsigner = "file:"\n')
    env = {**nowhere, "SDSAFE_MODEL": "env", "SDSAFE_DEVICE": "env"}
    settings = _load(env, tmp_path, device="argument")
    assert (settings.signer, settings.model, settings.device) == ("file:", "env", "argument")


def test_an_argument_of_none_is_not_given(nowhere: dict[str, str], tmp_path: Path) -> None:
    assert _load({**nowhere, "SDSAFE_MODEL": "env"}, tmp_path, model=None).model == "env"


def test_required_policies_unite_and_cannot_be_dropped(nowhere: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('required_policies = ["house"]\n', encoding="utf-8")
    _user_file(nowhere, 'required_policies = ["team"]\npolicies = []\n')
    env = {**nowhere, "SDSAFE_CONFIG": ""}
    settings = _load(env, tmp_path, policies=("mine",), required_policies=())
    assert settings.effective_policies == ("house", "team", "mine")


def test_another_user_file_does_not_hide_the_site_file(nowhere: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('required_policies = ["house"]\n', encoding="utf-8")
    (tmp_path / "mine.toml").write_text("policies = []\n", encoding="utf-8")
    settings = _load({**nowhere, "SDSAFE_CONFIG": str(tmp_path / "mine.toml")}, tmp_path)
    assert settings.effective_policies == ("house",)


def test_places_and_lists_from_the_environment(nowhere: dict[str, str], tmp_path: Path) -> None:
    env = {**nowhere, "SDSAFE_HOME": "/s", "SDSAFE_CACHE": "/c", "SDSAFE_TRUST": "/a.pem:/b.pem", "SDSAFE_OFFLINE": "1"}
    settings = _load(env, tmp_path)
    assert (settings.places.state, settings.places.cache) == (Path("/s"), Path("/c"))
    assert settings.trust_manifest == (Path("/a.pem"), Path("/b.pem"))
    assert settings.offline is True


def test_options_are_per_plugin(nowhere: dict[str, str], tmp_path: Path) -> None:
    _user_file(nowhere, "[options.open-nsfw]\nthreads = 1\n")
    settings = _load(nowhere, tmp_path)
    assert settings.options_for("open-nsfw") == {"threads": 1}
    assert settings.options_for("other") == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("polices = []", "unknown setting 'polices'"),
        ("policies = 'baseline'", "expected a list of strings"),
        ("policies = [1]", "expected a string, found int"),
        ("model = 3", "expected a string, found int"),
        ("offline = 'yes'", "expected true or false"),
        ("prompt_disclosure = 'some'", "not a valid PromptDisclosure"),
        ("options = 1", "one table per plug-in"),
        ("model = ", "cannot be read as TOML"),
    ],
)
def test_a_mistake_is_an_error_that_names_the_file(
    nowhere: dict[str, str], tmp_path: Path, text: str, complaint: str
) -> None:
    _user_file(nowhere, text)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        _load(nowhere, tmp_path)
    assert "settings.toml" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_named_file_that_is_missing_is_an_error(nowhere: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SDSAFE_CONFIG"):
        _load({**nowhere, "SDSAFE_CONFIG": str(tmp_path / "none.toml")}, tmp_path)


def test_what_the_site_says_about_the_organisation_stands(nowhere: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("[organisation]\nrevenue_usd = 2000000\n", encoding="utf-8")
    _user_file(nowhere, '[organisation]\nrevenue_usd = 1\nterritories = ["de", "UK"]\n')
    found = _load(nowhere, tmp_path, organisation={"revenue_usd": 3, "monthly_users": 7}).organisation
    assert (found.revenue_usd, found.monthly_users, found.territories) == (2_000_000, 7, ("DE", "GB"))
    assert found.name is None


def test_an_argument_speaks_before_the_user_file(nowhere: dict[str, str], tmp_path: Path) -> None:
    _user_file(nowhere, "[organisation]\nrevenue_usd = 1\n")
    assert _load(nowhere, tmp_path, organisation={"revenue_usd": 3}).organisation.revenue_usd == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[organisation]\nrevenue = 3\n", "revenue_usd"),
        ("[organisation]\nrevenue_usd = -1\n", "from 0 up"),
        ("[organisation]\nrevenue_usd = true\n", "from 0 up"),
        ('[organisation]\nterritories = ["Atlantis"]\n', "territory"),
        ('intended_use = "comercial"\n', "private, internal, commercial"),
        ('organisation = "us"\n', "table"),
    ],
)
def test_facts_that_cannot_be_are_refused(nowhere: dict[str, str], tmp_path: Path, text: str, says: str) -> None:
    _user_file(nowhere, text)
    with pytest.raises(ConfigurationError, match=says):
        _load(nowhere, tmp_path)


def test_a_declared_marketplace_brings_its_pack(nowhere: dict[str, str], tmp_path: Path) -> None:
    env = {**nowhere, "SDSAFE_USE": "marketplace:adobe-stock"}
    assert _load(env, tmp_path).effective_policies == ("baseline", "adobe-stock")
    settings = _load(env, tmp_path, policies=("adobe-stock", "mine"))
    assert settings.effective_policies == ("adobe-stock", "mine")
    assert _load(env, tmp_path, intended_use="private").effective_policies == ("baseline",)


def test_signed_packs_stay_demanded_with_the_keys_of_the_site(nowhere: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(
        'require_signed_packs = true\ntrusted_pack_keys = ["/etc/house.pem"]\n', encoding="utf-8"
    )
    _user_file(nowhere, 'require_signed_packs = false\ntrusted_pack_keys = ["/home/me/own.pem"]\n')
    settings = _load(nowhere, tmp_path, require_signed_packs=False, trusted_pack_keys=("mine.pem",))
    assert settings.require_signed_packs
    assert settings.trusted_pack_keys == (Path("/etc/house.pem"),)


@pytest.mark.parametrize("value", [10, 10.5, "10.5"])
def test_a_memory_budget_is_a_number_of_gibibytes(tmp_path: Path, value: object) -> None:
    env = {"HOME": str(tmp_path)}
    if isinstance(value, str):
        loaded = Settings.load({**env, "SDSAFE_VRAM_BUDGET": value}, site=tmp_path / "none.toml")
    else:
        loaded = Settings.load(env, site=tmp_path / "none.toml", vram_budget=value)
    assert loaded.vram_budget == float(str(value))


@pytest.mark.parametrize("value", [0, -1, True, "much", float("nan"), [10]])
def test_what_is_no_memory_budget_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(ConfigurationError, match="vram_budget"):
        Settings.load({"HOME": str(tmp_path)}, site=tmp_path / "none.toml", vram_budget=value)
