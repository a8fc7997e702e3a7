"""The launch policy that `up` gives to gateways."""

from pathlib import Path

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.launch_policy import check_launch_policy
from jupyter_ext.fleet.limits import gateway_limits
from jupyter_ext.fleet.settings import Settings


def test_the_file_is_kept_by_its_absolute_path_and_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings().changed({"launch_policy": "policy.json"})
    assert settings.launch_policy == str(tmp_path / "policy.json")
    app = gateway_limits(settings)["FleetGatewayApp"]
    assert app["launch_policy_file"] == str(tmp_path / "policy.json")
    without = settings.changed({"launch_policy": ""})
    assert without.launch_policy is None
    assert "launch_policy_file" not in gateway_limits(without)["FleetGatewayApp"]


def test_up_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    check_launch_policy(None)
    file = tmp_path / "policy.json"
    with pytest.raises(FleetError, match=r"--launch-policy .*No such file"):
        check_launch_policy(str(file))
    file.write_text('{"projects": {"demo": {"kernelspecs": {"*": {"gpu": false}}}}}')
    with pytest.raises(FleetError, match="there is no option 'gpu'"):
        check_launch_policy(str(file))
    file.write_text('{"projects": {}}')
    check_launch_policy(str(file))
