"""What an installation is made from: pinned lists, images, the compose file, settings."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.sources import ROOT

PIN = re.compile(r"^[A-Za-z0-9._\[\]-]+==[A-Za-z0-9.+!]+( ; .+)?$")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LAB: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "lab-worker.compose.yml").read_text())
SERVICES: dict[str, Any] = {**COMPOSE["services"], **LAB["services"]}
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILES = sorted([*(ROOT / "docker").glob("*.Dockerfile"), *(ROOT / "docker").glob("*/Dockerfile")])
# What the programs in the images read besides the product's own settings.
FOREIGN = {
    "LAYERWISE_LISTEN",
    "LAYERWISE_SITE",
    "POSTGRES_DB",
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "POSTGRES_INITDB_ARGS",
    "REDIS_PASSWORD",
    "REMAP_SIGTERM",
}


def _settings_read() -> set[str]:
    """What the settings file reads; names elsewhere are between our own processes."""
    return set(
        re.findall(r"""["'](LAYERWISE_[A-Z_]+|REDIS_URL)["']""", (ROOT / "dashboard/settings.py").read_text())
    )


def _documented() -> set[str]:
    return set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def _copied(dockerfile: Path) -> list[str]:
    """What a Dockerfile takes from the project."""
    lines = [line.split() for line in dockerfile.read_text().splitlines() if line.startswith("COPY ")]
    return [
        word
        for words in lines
        if not any("--from" in w for w in words)
        for word in words[1:-1]
        if word[:2] != "--"
    ]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not PIN.match(line)] == []


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements.in", "requirements-dev.in", ".npmrc"]
)
def test_no_list_names_a_registry(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


def test_the_lists_for_tests_and_product_agree() -> None:
    product = (ROOT / "requirements.txt").read_text().splitlines()[1:]
    assert set(product) <= set((ROOT / "requirements-dev.txt").read_text().splitlines())


def test_the_lock_file_says_nothing_about_where_packages_come_from() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"].values()
    assert [package for package in packages if "resolved" in package] == []


def test_every_script_of_the_pages_has_an_exact_version() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"].values()
    assert [version for version in wanted if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_no_foreign_script_is_committed() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [
        name for name in tracked if re.search(r"\.min\.(js|css)$|^node_modules/|static/vendor/", name)
    ] == []


@pytest.mark.parametrize("name", BUILT)
def test_every_image_has_its_dockerfile(name: str) -> None:
    build = SERVICES[name]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_an_image_copies_exists(file: Path) -> None:
    copied = [
        name for name in _copied(file) if not name.endswith(".whl")
    ]  # a vendor's, which nobody has here
    assert copied and [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_an_image_copies_is_sent_to_the_build(file: Path) -> None:
    own = file.with_name(f"{file.name}.dockerignore")
    sent = (own if own.exists() else ROOT / ".dockerignore").read_text().splitlines()
    assert [name for name in _copied(file) if f"!{name}" not in sent] == []


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_image_runs_as_root(file: Path) -> None:
    users = re.findall(r"^USER (\S+)", file.read_text(), re.MULTILINE)
    assert users and users[-1] not in {"root", "0"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert "test" in check or (check["disable"] and SERVICES[name]["restart"] == "no")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_gives_up_rights_it_does_not_need(name: str) -> None:
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


@pytest.mark.parametrize("name", BUILT)
def test_our_containers_cannot_change_themselves(name: str) -> None:
    assert (SERVICES[name]["read_only"], SERVICES[name]["cap_drop"]) == (True, ["ALL"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_of_the_compose_file_is_known(name: str) -> None:
    assert set(SERVICES[name].get("environment", {})) <= _settings_read() | FOREIGN | {"PYTHONUNBUFFERED"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_volume_is_declared(name: str) -> None:
    named = {
        volume.split(":")[0]
        for volume in SERVICES[name].get("volumes", [])
        if not volume.startswith(("./", "/"))
    }
    assert named <= {*COMPOSE["volumes"], *LAB["volumes"]}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_waits_for_services_that_exist(name: str) -> None:
    assert set(SERVICES[name].get("depends_on", {})) <= set(SERVICES)


def test_only_the_site_is_reachable_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]


def test_uploads_wait_on_the_disk_not_in_memory() -> None:
    site = SERVICES["web"]
    assert (site["tmpfs"], [name for name in site["volumes"] if name.endswith(":/tmp")]) == (
        [],
        ["uploads:/tmp"],
    )


def test_no_shell_stays_the_first_process_of_a_container() -> None:
    # it would not hear TERM, and be killed after ten seconds
    scripts = [
        service["command"][2] for service in SERVICES.values() if service.get("command", "")[:1] == ["sh"]
    ]
    assert scripts and all(script.startswith("exec ") for script in scripts)


def test_no_secret_stands_in_the_compose_file() -> None:
    values = [
        str(value)
        for service in SERVICES.values()
        for key, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|URL", key)
    ]
    assert [
        value for value in values if re.search(r"PASSWORD|SECRET|:.*@", value) and "${" not in value
    ] == []


def test_a_labs_worker_lets_nobody_in() -> None:
    assert "ports" not in LAB["services"]["lab-worker"]


def test_a_labs_worker_serves_its_site_and_nothing_else() -> None:
    command = LAB["services"]["lab-worker"]["command"]
    assert command[:4] == ["python", "manage.py", "worker", "--site"] and "--converter" not in command


def test_the_docker_engine_is_given_to_nobody() -> None:
    assert "docker.sock" not in (ROOT / "docker-compose.yml").read_text()


def test_every_setting_is_documented() -> None:
    assert _settings_read() - _documented() == set()


def test_every_documented_setting_exists() -> None:
    assert {name for name in _documented() if name.startswith("LAYERWISE_")} - _settings_read() <= FOREIGN
