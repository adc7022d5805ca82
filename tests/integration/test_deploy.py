"""What deploy/ says, as far as it can be told without a container engine or an init system."""

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from pipelines.resources.instance import _DAGSTER_YAML
from pipelines.settings import PROJECT_DIR

DEPLOY = PROJECT_DIR / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def read_yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def variables(path: Path) -> set[str]:
    """Those that a file of variables sets or suggests."""
    return set(re.findall(r"^#?([A-Z_]+)=", path.read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_production_differs_from_any_data_home_in_its_storage_alone():
    production = read_yaml(DEPLOY / "dagster.yaml")

    assert set(production.pop("storage")) == {"postgres"}
    assert production == yaml.safe_load(_DAGSTER_YAML)


def test_what_the_settings_ask_of_the_environment_is_in_the_example():
    text = (DEPLOY / "dagster.yaml").read_text(encoding="utf-8") + (DEPLOY / "compose.yaml").read_text(
        encoding="utf-8"
    )
    asked = set(re.findall(r"\{env: (\w+)\}", text)) | set(re.findall(r"(?<!\$)\$\{(\w+)", text))

    assert len(asked) == 5
    assert asked <= variables(DEPLOY / "winback.env.example")
    assert "WINBACK_PG_PASSWORD=\n" in (DEPLOY / "winback.env.example").read_text(encoding="utf-8")


def test_compose_opens_ports_on_loopback_alone_and_names_what_is_there():
    compose = read_yaml(DEPLOY / "compose.yaml")
    services = compose["services"]

    assert set(services) == {"postgres", "daemon", "webserver", "readonly"}
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    mounted = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert {name for name in mounted if not name.startswith(".")} == set(compose["volumes"])
    assert all((DEPLOY / name).exists() for name in mounted if name.startswith("."))
    for name in ("daemon", "webserver", "readonly"):
        build = services[name]["build"]
        assert (DEPLOY / build["context"]).resolve() == PROJECT_DIR
        assert (PROJECT_DIR / build["dockerfile"]).is_file()
    assert "--read-only" in services["readonly"]["command"]
    assert not any(volume.startswith("data:") for volume in services["readonly"]["volumes"])


def test_the_image_copies_what_is_there_and_leaves_out_what_runs_write():
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[-2] for line in lines if line.startswith("COPY")]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()

    assert copied and all((PROJECT_DIR / name).exists() for name in copied)
    assert any(line.startswith("USER winback") for line in lines)
    assert {"data/*", "!data/profiles", ".git", ".venv", "*.env"} <= set(ignored)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_as_a_user_of_its_own_on_loopback(unit):
    parsed = RawConfigParser(strict=False)
    parsed.optionxform = str
    parsed.read_string(unit.read_text(encoding="utf-8"))
    service = parsed["Service"]
    command = service["ExecStart"].split()

    assert service["User"] == "winback"
    assert command[0].startswith("/opt/winback/.venv/bin/")
    assert Path(command[0]).name in ("winback", "dagster-webserver")
    assert Path(command[0]).name == "winback" or command[command.index("-h") + 1] == "127.0.0.1"
    documented = parsed["Unit"]["Documentation"].removeprefix("file:/opt/winback/")
    assert (PROJECT_DIR / documented).is_file()


def test_systemd_accepts_the_units():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there")
    command = ["systemd-analyze", "verify", *map(str, UNITS)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    # Winback is not installed where the units expect it; there must be nothing else to say.
    left = [line for line in said.stderr.splitlines() if "is not executable" not in line]
    assert left == []
