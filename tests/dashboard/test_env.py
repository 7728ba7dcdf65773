"""Settings from the environment: defaults, and bad values that name their variable."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import env

NAME = "LAYERWISE_TEST"
SOME = Path("/some/file")


def test_what_is_not_set_has_its_default():
    assert env.integer(NAME, 7) == 7


def test_an_empty_value_is_the_default(monkeypatch):
    monkeypatch.setenv(NAME, "")
    assert env.integer(NAME, 7) == 7


def test_what_must_be_set_is_named():
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.read(NAME)


@pytest.mark.parametrize("text", ["x", "1.5", "-1", "0", "1e3"])
def test_a_number_that_makes_no_sense_is_named(monkeypatch, text):
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.integer(NAME, 7, minimum=1)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("False", False)]
)
def test_yes_and_no_have_many_spellings(monkeypatch, text, value):
    monkeypatch.setenv(NAME, text)
    assert env.boolean(NAME, not value) is value


def test_maybe_is_neither(monkeypatch):
    monkeypatch.setenv(NAME, "maybe")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.boolean(NAME, False)


def test_words_are_parted_by_commas(monkeypatch):
    monkeypatch.setenv(NAME, " a, b ,,c")
    assert env.words(NAME) == ["a", "b", "c"]


def test_networks_are_parted_by_commas(monkeypatch):
    monkeypatch.setenv(NAME, "10.0.0.0/8, ::1/128")
    assert env.networks(NAME, "127.0.0.0/8") == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize("text", ["10.0.0.0/99", "a", "10.0.0.1/8", "10.0.0.0/8,,"])
def test_what_is_no_network_is_named(monkeypatch, text):
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.networks(NAME, "127.0.0.0/8")


@pytest.mark.parametrize("text", ["xml", "JSON", "json "])
def test_a_word_that_does_not_fit_is_named(monkeypatch, text):
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.matching(NAME, "json", "json|text", "json or text")


def test_a_home_folder_is_written_out(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(NAME, "~/data")
    assert env.path(NAME, SOME) == tmp_path / "data"


def test_without_an_address_the_database_is_a_file():
    assert env.database(NAME, SOME)["NAME"] == "/some/file"


@pytest.mark.parametrize(
    ("url", "name"), [("sqlite:///relative.db", "relative.db"), ("sqlite:////absolute.db", "/absolute.db")]
)
def test_a_sqlite_address_names_a_file(monkeypatch, url, name):
    monkeypatch.setenv(NAME, url)
    assert env.database(NAME, SOME)["NAME"].lstrip("/") == name.lstrip("/")


def test_a_postgres_address_is_taken_apart(monkeypatch):
    monkeypatch.setenv(NAME, "postgres://ann:p%40ss@db:5433/layer%20wise")
    parts = env.database(NAME, SOME)
    assert [parts[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "NAME")] == [
        "ann",
        "p@ss",
        "db",
        "5433",
        "layer wise",
    ]


def test_another_database_is_refused(monkeypatch):
    monkeypatch.setenv(NAME, "mysql://x")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.database(NAME, SOME)


def test_a_postgres_address_with_a_port_that_is_none_is_named(monkeypatch):
    monkeypatch.setenv(NAME, "postgres://db:port/name")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.database(NAME, SOME)


def test_tls_of_postgres_is_passed_on(monkeypatch):
    monkeypatch.setenv(NAME, "postgres://ann@db/x?sslmode=verify-full&sslrootcert=/etc/ca.pem")
    options = env.database(NAME, SOME)["OPTIONS"]
    assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", "/etc/ca.pem")


def test_an_option_of_postgres_that_nobody_knows_is_named(monkeypatch):
    monkeypatch.setenv(NAME, "postgres://ann@db/x?sslmod=require")
    with pytest.raises(ImproperlyConfigured, match="sslmod"):
        env.database(NAME, SOME)


@pytest.mark.parametrize("text", ["", "/srv/store", "store"])
def test_a_folder_is_no_bucket(monkeypatch, text):
    monkeypatch.setenv(NAME, text)
    assert env.bucket(NAME) is None


def test_a_bucket_is_taken_apart(monkeypatch):
    monkeypatch.setenv(NAME, "s3://files/layer/wise/?endpoint=https://store:9000&region=eu-1")
    assert env.bucket(NAME) == env.Bucket("files", "layer/wise/", "https://store:9000", "eu-1")


def test_a_bucket_of_amazon_needs_its_name_only(monkeypatch):
    monkeypatch.setenv(NAME, "s3://files")
    assert env.bucket(NAME) == env.Bucket("files", "", "", "us-east-1")


@pytest.mark.parametrize(
    "text",
    [
        "http://files/x",
        "s3://",
        "s3://F",
        "s3://files?endpoint=store:9000",
        "s3://files?endpoint=https://a:hidden@store",
        "s3://files?end=https://store",
        "s3://key:hidden@files",
    ],
)
def test_an_address_of_a_store_that_makes_no_sense_is_named(monkeypatch, text):
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME) as error:
        env.bucket(NAME)
    assert "hidden" not in str(error.value)
