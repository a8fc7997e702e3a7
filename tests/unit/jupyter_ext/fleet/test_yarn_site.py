"""Where yarn-site.xml says that the ResourceManagers are."""

from pathlib import Path

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.yarn_site import read_resource_managers

RM = "yarn.resourcemanager"
HA = {f"{RM}.ha.enabled": "true", f"{RM}.ha.rm-ids": "rm1, rm2"}


def written(folder: Path, properties: dict[str, str]) -> str:
    values = "".join(
        f"<property><name>{name}</name><value>{value}</value></property>\n"
        for name, value in properties.items()
    )
    (folder / "yarn-site.xml").write_text(f"<configuration>\n{values}</configuration>\n")
    return str(folder)


@pytest.mark.parametrize(
    ("properties", "urls"),
    [
        ({f"{RM}.hostname": "rm"}, ["http://rm:8088"]),
        ({f"{RM}.webapp.address": "rm:9000"}, ["http://rm:9000"]),
        ({f"{RM}.webapp.address": "rm"}, ["http://rm:8088"]),
        (
            {f"{RM}.hostname": "rm", f"{RM}.webapp.address": f"${{{RM}.hostname}}:18088"},
            ["http://rm:18088"],
        ),
        (
            {
                f"{RM}.hostname": "rm",
                f"{RM}.webapp.address": "rm:8088",
                "yarn.http.policy": "HTTPS_ONLY",
            },
            ["https://rm:8090"],
        ),
        (
            {f"{RM}.webapp.https.address": "rm:9443", "yarn.http.policy": "HTTPS_ONLY"},
            ["https://rm:9443"],
        ),
        (
            {**HA, f"{RM}.hostname.rm1": "a", f"{RM}.webapp.address.rm2": "b:9000"},
            ["http://a:8088", "http://b:9000"],
        ),
        (
            {
                **HA,
                f"{RM}.hostname.rm1": "a",
                f"{RM}.webapp.https.address.rm2": "b:9443",
                "yarn.http.policy": "HTTPS_ONLY",
            },
            ["https://a:8090", "https://b:9443"],
        ),
        # Hadoop ignores the ids where high availability is off.
        (
            {**HA, f"{RM}.ha.enabled": "false", f"{RM}.hostname": "rm", f"{RM}.hostname.rm1": "a"},
            ["http://rm:8088"],
        ),
    ],
)
def test_the_addresses_of_the_rest_interface(
    tmp_path: Path, properties: dict[str, str], urls: list[str]
) -> None:
    assert read_resource_managers(written(tmp_path, properties)) == urls


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {f"{RM}.address": "rm:8032"},
        {f"{RM}.hostname": "0.0.0.0"},
        {f"{RM}.hostname": "${unknown}"},
        {f"{RM}.webapp.address": "rm:port"},
        HA,
    ],
)
def test_without_an_address_it_says_what_is_needed(
    tmp_path: Path, properties: dict[str, str]
) -> None:
    with pytest.raises(FleetError, match=r"yarn-site\.xml does not say where .* it needs yarn\."):
        read_resource_managers(written(tmp_path, properties))


def test_a_folder_without_the_file_no_folder_and_no_xml(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match=r"--yarn-conf: .*yarn-site\.xml cannot be read"):
        read_resource_managers(str(tmp_path))
    with pytest.raises(FleetError, match="is not a folder"):
        read_resource_managers(str(tmp_path / "nowhere"))
    (tmp_path / "yarn-site.xml").write_text("{}")
    with pytest.raises(FleetError, match=r"yarn-site\.xml is not XML"):
        read_resource_managers(str(tmp_path))
