import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_ext.fleet import configuration
from jupyter_ext.fleet.build import Builds
from jupyter_ext.fleet.clusters import Clusters
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.fronts import front_config, kernel_front_config
from jupyter_ext.fleet.kubeconfig import Context
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.supervised_program import Definition
from jupyter_ext.fleet.tools import Tools
from jupyter_ext.wire.journal_parts import MOST_PART_BYTES
from jupyter_ext.wire.routes import JOURNAL_ROUTE, path_of

TEMPLATE = Path(__file__).parents[4] / "deploy" / "nginx" / "fleet.conf.template"
KERNEL_TEMPLATE = TEMPLATE.with_name("kernels.conf.template")
TOOLS = Tools(
    lab_python=Path("/e/lab/bin/python"),
    gateway=Path("/e/gateway/bin/jupyter-fleet-gateway"),
    gateway_env=Path("/e/gateway"),
    kernel_python=Path("/e/kernel/bin/python"),
    nginx=Path("/usr/sbin/nginx"),
    weed=Path("/e/lab/bin/weed"),
    front_template=TEMPLATE,
    kernelspecs=Path("/e/kernel/share/jupyter-fleet/kernelspecs"),
)
PORTS = {
    "lab-1": 11001,
    "lab-2": 11002,
    "gateway-1": 11011,
    "gateway-2": 11012,
    "front-kernels": 11013,
    "store-s3": 11021,
    "store-master": 11022,
    "store-volume": 11023,
    "store-filer": 11024,
}
SETTINGS = Settings(port=8888, ports=PORTS)
BUILDS = Builds(lab="lab-build", gateway="gateway-build", store="weed-1")


@pytest.fixture
def data_dir(tmp_path):
    data_dir = DataDir.at(tmp_path)
    data_dir.create()
    return data_dir


@pytest.fixture
def secrets(data_dir):
    secrets = SecretFiles(data_dir.secrets)
    secrets.create()
    return secrets


@pytest.fixture
def fleet(data_dir, secrets):
    return configuration.programs(SETTINGS, data_dir, secrets, TOOLS, BUILDS, {"AWS_X": "y"})


def test_a_lab_is_told_where_everything_is(data_dir, secrets):
    config = configuration.lab_config("lab-2", SETTINGS, data_dir, secrets)
    assert config["JupyterFleet"] == {
        "database_url": f"sqlite:///{data_dir.root}/lab.sqlite",
        "bucket_url": "s3://fleet?endpoint=http://127.0.0.1:11021&region=us-east-1",
        "gateway_urls": ["http://127.0.0.1:11011", "http://127.0.0.1:11012"],
        "token_keys_file": str(secrets.token_keys),
        "login_keys_file": str(secrets.login_keys),
        "shared_secrets_file": str(secrets.shared_secrets),
        "service_token_file": str(secrets.service_token("lab")),
    }
    assert config["Audit"] == {
        "file": str(data_dir.root / "audit" / "lab-2.jsonl"),
        "server_name": "lab-2",
    }
    assert (config["ServerApp"]["ip"], config["ServerApp"]["port"]) == ("127.0.0.1", 11002)


def test_external_stores_are_passed_on(data_dir, secrets):
    settings = replace(SETTINGS, database="mysql://u:p@h/db", bucket="oss://b?endpoint=http://h")
    lab = configuration.lab_config("lab-1", settings, data_dir, secrets)["JupyterFleet"]
    gateway = configuration.gateway_config("gateway-1", settings, data_dir, secrets, TOOLS)
    assert (lab["database_url"], lab["bucket_url"]) == (settings.database, settings.bucket)
    assert gateway["FleetGatewayApp"]["database_url"] == settings.database


def test_gateways_are_told_the_limits(data_dir, secrets):
    def told(settings):
        config = configuration.gateway_config("gateway-1", settings, data_dir, secrets, TOOLS)
        return config["FleetGatewayApp"], config["FleetMappingKernelManager"]

    app, culling = told(SETTINGS)
    assert not {"max_kernels", "max_kernels_per_user", "kernel_memory"} & set(app)
    assert culling == {}
    limits = {"max_kernels": 50, "max_kernels_per_user": 5, "kernel_memory": 4 * 2**30}
    app, culling = told(replace(SETTINGS, **limits, cull_idle=3600, cull_warning=300))
    assert limits.items() <= app.items()
    assert app["port"] == 11011
    assert culling["cull_idle_timeout"] == 3600
    assert culling["cull_connected"] is True
    assert culling["cull_warning_seconds"] == 300


def test_gateways_are_told_of_walls_and_to_hide_the_fleets_data(data_dir, secrets):
    def told(settings):
        config = configuration.gateway_config("gateway-1", settings, data_dir, secrets, TOOLS)
        return config["FleetGatewayApp"]

    for mode in ("none", "auto", "required"):
        app = told(replace(SETTINGS, kernel_walls=mode))
        assert app["kernel_walls"] == mode
        assert app["hidden_folders"] == [str(data_dir.root)]
        assert (app["shown_folders"], app["one_user"]) == ([], False)
    assert told(SETTINGS)["kernel_walls"] == "auto"
    chosen = SETTINGS.changed({"shown_folders": "/run/mysqld:/data"})
    assert told(chosen)["shown_folders"] == ["/run/mysqld", "/data"]
    assert told(chosen.changed({"shown_folders": ""}))["shown_folders"] == []
    assert told(replace(SETTINGS, one_user=True))["one_user"] is True


def test_gateways_are_told_what_of_the_network_kernels_reach(data_dir, secrets):
    def told(**settings):
        settings = replace(SETTINGS, kernel_walls="auto", **settings)
        config = configuration.gateway_config("gateway-1", settings, data_dir, secrets, TOOLS)
        app = config["FleetGatewayApp"]
        return app["kernel_network"], app["kernel_network_allowed"]

    assert told() == ("auto", [])
    allowed = "10.0.0.1:80,db.example:3306"
    assert told(kernel_network="internet", kernel_network_allowed=allowed) == (
        "internet",
        ["10.0.0.1:80", "db.example:3306"],
    )


def test_gateways_are_told_where_clusters_are(data_dir, secrets):
    def told(clusters, **settings):
        settings = replace(SETTINGS, **settings)
        return configuration.gateway_config(
            "gateway-1", settings, data_dir, secrets, TOOLS, clusters
        )

    none = told(Clusters())
    assert not {"KubernetesCluster", "YarnCluster"} & set(none)
    kubernetes = Clusters(kubernetes=Context("x", "https://c:6443", "team"))
    config = told(kubernetes, kubeconfig="/k", kube_context="x")
    assert config["KubernetesCluster"] == {
        "kubeconfig": "/k",
        "context": "x",
        "namespace": "team",
    }
    config = told(kubernetes, kubeconfig="/k", kube_context="x", kube_namespace="kernels")
    assert config["KubernetesCluster"]["namespace"] == "kernels"
    nameless = Clusters(kubernetes=Context("x", "https://c:6443", None))
    assert told(nameless, kubeconfig="/k")["KubernetesCluster"]["namespace"] == "default"
    config = told(kubernetes, kubeconfig="/k", kube_namespace="kernels-{project}")
    assert config["KubernetesCluster"]["project_namespaces"] == {"*": "kernels-{project}"}
    assert "namespace" not in config["KubernetesCluster"]
    yarn = Clusters(resource_managers=("http://a:8088", "http://b:8088"))
    config = told(yarn, yarn_conf="/hadoop")
    assert config["YarnCluster"] == {"endpoints": ["http://a:8088", "http://b:8088"]}


def test_an_operators_kernelspecs_come_first_and_the_default_stays(data_dir, secrets):
    settings = replace(SETTINGS, kernelspecs="/mine")
    config = configuration.gateway_config("gateway-1", settings, data_dir, secrets, TOOLS)
    assert config["FleetKernelSpecManager"]["kernel_dirs"] == ["/mine", str(TOOLS.kernelspecs)]
    assert config["FleetMappingKernelManager"]["default_kernel_name"] == "python"


def test_an_advertised_address_is_one_more_and_for_gateways_alone(data_dir, secrets):
    settings = replace(SETTINGS, advertise="192.0.2.7")
    app = configuration.gateway_config("gateway-1", settings, data_dir, secrets, TOOLS)[
        "FleetGatewayApp"
    ]
    assert (app["ip"], app["more_ips"]) == ("127.0.0.1", ["192.0.2.7"])
    assert app["gateway_url"] == "http://192.0.2.7:11011"
    fleet = configuration.programs(settings, data_dir, secrets, TOOLS, BUILDS, {})
    assert all(one.url.startswith("http://127.0.0.1:") for one in fleet)
    front = front_config(TEMPLATE.read_text(), settings, data_dir, as_root=True)
    assert "192.0.2.7" not in front
    assert app["kernel_lab_urls"] == ["http://192.0.2.7:11013"]
    for_kernels = kernel_front_config(
        KERNEL_TEMPLATE.read_text(),
        settings,
        data_dir,
        as_root=True,
        addresses=["192.0.2.7", "::5"],
    )
    assert re.findall(r"^ +listen (.*);", for_kernels, re.M) == [
        *("127.0.0.1:11013", "192.0.2.7:11013", "[::5]:11013")
    ]


def test_spark_submit_finds_hadoops_configuration(data_dir, secrets):
    settings = replace(SETTINGS, yarn_conf="/hadoop")
    fleet = configuration.programs(settings, data_dir, secrets, TOOLS, BUILDS, {})
    found = {one.name for one in fleet if one.environment.get("HADOOP_CONF_DIR") == "/hadoop"}
    assert found == {"gateway-1", "gateway-2"}
    assert all(one.environment["YARN_CONF_DIR"] == "/hadoop" for one in fleet if one.name in found)


def test_labs_and_gateways_do_not_share_an_embedded_database(data_dir, secrets):
    lab = configuration.lab_config("lab-1", SETTINGS, data_dir, secrets)
    gateway = configuration.gateway_config("gateway-1", SETTINGS, data_dir, secrets, TOOLS)
    assert lab["JupyterFleet"]["database_url"] != gateway["FleetGatewayApp"]["database_url"]


def test_no_secret_is_in_a_command_or_an_environment(data_dir, secrets, fleet):
    words = " ".join(word for one in fleet for word in (*one.command, *one.environment.values()))
    files = [file for file in secrets.folder.rglob("*") if file.is_file()]
    # The lock of these files is empty.
    hidden = [text for file in files if (text := file.read_text().strip())]
    account = json.loads(secrets.store_identities.read_text())["identities"][0]["credentials"][0]
    assert not any(secret in words for secret in [*hidden, *account.values()])


def test_secret_files_are_private_and_kept(secrets):
    assert all(
        file.stat().st_mode & 0o777 == 0o600 for file in secrets.folder.rglob("*") if file.is_file()
    )
    kept = [secrets.platform_key, secrets.cookie_secret, secrets.notary_secret]
    kept += [secrets.encryption_keys, secrets.login_keys]
    kept += [secrets.store_identities, secrets.store_credentials]
    before = [file.read_bytes() for file in kept]
    secrets.create()
    assert [file.read_bytes() for file in kept] == before


def test_credentials_of_the_environment_go_into_a_file(secrets):
    settings = replace(SETTINGS, bucket="s3://b")
    environment = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "50%secret",
        "AWS_PROFILE": "mine",
        "AWS_CONFIG_FILE": "/c",
        "OTHER": "x",
    }
    assert configuration.store_environment(settings, secrets, environment) == {
        "AWS_PROFILE": "mine",
        "AWS_CONFIG_FILE": "/c",
    }
    secrets.keep_bucket_credentials(environment)
    assert configuration.store_environment(settings, secrets, environment) == {
        "AWS_CONFIG_FILE": "/c",
        "AWS_SHARED_CREDENTIALS_FILE": str(secrets.bucket_credentials),
    }
    assert "aws_secret_access_key = 50%secret" in secrets.bucket_credentials.read_text()


def test_where_credentials_are_found_is_kept_for_another_shell(secrets):
    settings = replace(SETTINGS, bucket="s3://b", bucket_environment={"AWS_PROFILE": "team"})
    assert configuration.store_environment(settings, secrets, {}) == {"AWS_PROFILE": "team"}
    now = {"AWS_PROFILE": "other", "AWS_SECRET_ACCESS_KEY": "s"}
    assert configuration.store_environment(settings, secrets, now) == {"AWS_PROFILE": "other"}


def test_little_of_the_environment_is_inherited():
    environment = {"PATH": "/bin", "LC_ALL": "C", "HOME": "/h", "GITHUB_TOKEN": "t", "AWS_X": "y"}
    assert configuration.inherited(environment) == {"PATH": "/bin", "LC_ALL": "C", "HOME": "/h"}


def test_the_front_knows_every_lab(data_dir):
    text = front_config(TEMPLATE.read_text(), SETTINGS, data_dir, as_root=True)
    assert re.findall(r"^ +server (127.*);", text, re.M) == [
        "127.0.0.1:11001 max_fails=0",
        "127.0.0.1:11002 max_fails=0",
        "127.0.0.1:11001 max_fails=1 fail_timeout=5s",
        "127.0.0.1:11002 max_fails=1 fail_timeout=5s",
    ]
    assert "listen 127.0.0.1:8888;" in text
    assert f'pid "{data_dir.front}/nginx.pid";' in text
    assert "\nuser root;" in text
    assert not re.search(r"^[^#]*@[A-Z_]+@", text, re.M)


def test_the_front_for_kernels_knows_every_lab_and_takes_parts_of_journals(data_dir):
    text = kernel_front_config(KERNEL_TEMPLATE.read_text(), SETTINGS, data_dir, as_root=False)
    assert re.findall(r"^ +server (127.*);", text, re.M) == [
        "127.0.0.1:11001 max_fails=0",
        "127.0.0.1:11002 max_fails=0",
    ]
    assert not re.search("^user root", text, re.M)
    assert not re.search(r"^[^#]*@[A-Z_]+@", text, re.M)
    (most,) = re.findall(r"client_max_body_size (\d+)k;", text)
    assert int(most) * 1024 == MOST_PART_BYTES
    (location,) = re.findall(r"location ~ (\S+) ", text)
    assert re.search(location, path_of(JOURNAL_ROUTE, kernel_id="k-1"))


def test_another_lab_replaces_the_front_for_kernels_and_no_other(data_dir, secrets):
    def runs(text):
        fleet = configuration.programs(
            SETTINGS, data_dir, secrets, TOOLS, BUILDS, {}, kernel_front=text
        )
        return {one.name: one.runs for one in fleet}

    before, after = runs("a lab"), runs("two labs")
    assert {name for name in before if before[name] != after[name]} == {"front-kernels"}


def test_the_supervisor_is_told_everything_about_a_program(data_dir, fleet):
    documents = json.loads(json.dumps(configuration.definitions(fleet, data_dir)))
    told = {one["name"]: Definition.of(one) for one in documents}
    assert list(told) == [one.name for one in fleet]
    for program in fleet:
        definition = told[program.name]
        assert definition.command == program.command
        assert definition.environment == program.environment
        assert definition.runs == program.runs
    checks = {name: one.check_url for name, one in told.items()}
    urls = {one.name: one.url for one in fleet}
    assert checks == {
        "front": urls["front"] + "/front-health",
        "front-kernels": urls["front-kernels"] + "/front-health",
        "lab-1": urls["lab-1"] + "/api",
        "lab-2": urls["lab-2"] + "/api",
        "gateway-1": urls["gateway-1"] + "/api",
        "gateway-2": urls["gateway-2"] + "/api",
        "store": urls["store"] + "/healthz",
    }
    assert told["gateway-1"].build == "gateway-build"


@pytest.mark.parametrize(
    ("settings", "builds", "replaced"),
    [
        ({}, {}, set()),
        ({}, {"lab": "new"}, {"lab-1", "lab-2"}),
        ({}, {"gateway": "new"}, {"gateway-1", "gateway-2"}),
        ({}, {"store": "weed-2"}, {"store"}),
        ({"labs": 1}, {}, {"lab-2"}),
        ({"gateways": 1}, {}, {"lab-1", "lab-2", "gateway-2"}),
        ({"database": "mysql://h/db"}, {}, {"lab-1", "lab-2", "gateway-1", "gateway-2"}),
        ({"kernelspecs": "/mine"}, {}, {"gateway-1", "gateway-2"}),
        ({"advertise": "192.0.2.7"}, {}, {"gateway-1", "gateway-2"}),
        ({"yarn_conf": "/hadoop"}, {}, {"gateway-1", "gateway-2"}),
    ],
)
def test_a_program_runs_something_else_only_if_it_would_notice(
    data_dir, secrets, fleet, settings, builds, replaced
):
    changed = configuration.programs(
        replace(SETTINGS, **settings),
        data_dir,
        secrets,
        TOOLS,
        replace(BUILDS, **builds),
        {"AWS_X": "y"},
    )
    before = {one.name: one.runs for one in fleet}
    after = {one.name: one.runs for one in changed}
    assert {name for name in before if before[name] != after.get(name)} == replaced


def test_another_kernel_environment_is_noticed_by_gateways_alone(data_dir, secrets, fleet):
    tools = replace(TOOLS, kernel_python=Path("/other/bin/python"))
    changed = configuration.programs(SETTINGS, data_dir, secrets, tools, BUILDS, {"AWS_X": "y"})
    before = {one.name: one.runs for one in fleet}
    assert {one.name for one in changed if one.runs != before[one.name]} == {
        "gateway-1",
        "gateway-2",
    }


def test_the_store_stays_at_home(fleet):
    command = next(one.command for one in fleet if one.role == "store")
    assert "-ip.bind=127.0.0.1" in command
    assert "-master.telemetry=false" in command


def test_programs_of_a_fleet(fleet):
    assert [(one.name, one.role) for one in fleet] == [
        ("front", "front"),
        ("front-kernels", "kernel-front"),
        ("lab-1", "lab"),
        ("lab-2", "lab"),
        ("gateway-1", "gateway"),
        ("gateway-2", "gateway"),
        ("store", "store"),
    ]
