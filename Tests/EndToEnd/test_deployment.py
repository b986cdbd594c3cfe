"""The files of `deployment/`, checked by the programs that read them. What is missing fails: scripts/setup.sh --test installs it."""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest
import requests
import yaml

from rig import kustomize
from rig.server import BINARIES, ROOT, environment
from rig.stores import Redis

FILES = ROOT / "deployment"
PROMETHEUS, SYSTEMD, KUBERNETES = FILES / "prometheus", FILES / "systemd", FILES / "kubernetes"
KUSTOMIZATIONS = ("base", "overlays/example")

#: Metrics that a server has only when something was used; the shared one of the tests has no tools and no Postgres.
AFTER_USE = {
    "kdcube_approvals_total": "a label for each state, from the first approval on",
    "kdcube_attempts_total": "a label for each model, from its first call on",
    "kdcube_auth_failures_total": "a label for each reason, from the first refusal on",
    "kdcube_budget_warnings_total": "a label for each level, from the first warning on",
    "kdcube_cluster_connected": "where there is a cluster",
    "kdcube_cuts_total": "a label for each reason, from the first cut on",
    "kdcube_decisions_total": "with the first call of a tool",
    "kdcube_isolation_level": "where a tool runs code",
    "kdcube_policy_loads_total": "where there are policies",
    "kdcube_postgres_connected": "where the store is Postgres",
    "kdcube_postgres_reconnects_total": "where the store is Postgres",
    "kdcube_postgres_seconds": "where the store is Postgres",
    "kdcube_postgres_waiting": "where the store is Postgres",
    "kdcube_price_reloads_total": "a label for each outcome, from the first reload on",
    "kdcube_recovery_stream_ready": "where a cluster has recovery",
    "kdcube_requests_refused_total": "a label for each code, from the first refusal on",
    "kdcube_sandbox_kills_total": "where a tool runs code",
    "kdcube_sandbox_starts_total": "where a tool runs code",
    "kdcube_sandbox_undead_total": "where a tool runs code",
    "kdcube_tls_certificate_expiry_seconds": "where there is a certificate",
    "kdcube_tls_certificate_loads_total": "a label for each outcome, from the first change on",
    "kdcube_tokens_beyond_reservation_total": "a label for each model, when it happens",
    "kdcube_tokens_total": "a label for each model, from its first run on",
    "kdcube_tool_loads_total": "with the first change of the catalog",
    "kdcube_tool_seconds": "with the first call of a tool",
    "kdcube_tools_abandoned_total": "where there are tools",
    "kdcube_unlogged_reads_total": "a label for each tool, when it happens",
    "kdcube_webhooks_total": "where approvals have a webhook",
}


def run(*command: str | pathlib.Path, cwd: pathlib.Path = ROOT, **variables: str) -> str:
    """What the program printed; fails with that when it does not exit 0, or is not there."""
    folders = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"])
    program = shutil.which(str(command[0]), path=folders)
    assert program, f"{command[0]} is not installed: run scripts/setup.sh --test"
    everything = {**environment(), "PATH": folders, **variables}
    result = subprocess.run(
        [program, *map(str, command[1:])],
        cwd=cwd,
        env=everything,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    assert result.returncode == 0, f"{' '.join(map(str, command))}: exit {result.returncode}\n{result.stdout}"
    return result.stdout


def checked_configuration(path: pathlib.Path, **variables: str) -> dict:
    """The settings as the server reads them from this file in this environment."""
    return json.loads(run(BINARIES / "kdcube", "check-config", "--config", path, "--json", **variables))


def seconds(duration: str | int) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)?", str(duration)).groups()
    return int(number) * {"ms": 0.001, "s": 1, None: 1, "m": 60, "h": 3600}[unit]


# The image.


def image_lines() -> str:
    """The Containerfile with its continued lines joined and its comments left out."""
    lines = (FILES / "Containerfile").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")


def test_the_containerfile_passes_its_linter():
    run("hadolint", FILES / "Containerfile")


def test_what_the_image_copies_is_there_and_is_all_that_the_package_names():
    copied = [pathlib.PurePath(words[0]) for words in (line.split()[1:] for line in image_lines().splitlines() if line.startswith("COPY "))]
    sources = [path for path in copied if not str(path).startswith("--from")]
    assert sources and all((ROOT / path).exists() for path in sources), sources
    ignored = (ROOT / ".containerignore").read_text().splitlines()
    assert ignored == (ROOT / ".dockerignore").read_text().splitlines()
    assert all(f"!{path}" in ignored for path in sources), ignored
    for path in re.findall(r'path: "([^"]+)"', (ROOT / "Package.swift").read_text()):
        assert any(pathlib.PurePath(path).is_relative_to(source) for source in sources), f"{path} is not in the image of the build"


def test_the_image_has_the_shared_libraries_of_the_server():
    """Swift's own are linked statically there; all others belong to packages that the last stage installs."""
    installed = set(image_lines().rpartition("FROM ")[2].split())
    needed = re.findall(r"NEEDED.*\[(.+)\]", run("readelf", "-d", BINARIES / "kdcube"))
    assert "libpq.so.5" in needed
    for library in needed:
        if re.match(r"lib(swift|_?Foundation|dispatch|BlocksRuntime)", library):
            continue
        package = run("dpkg", "-S", f"*/{library}").split(":")[0]
        assert package in installed | {"libc6"}, f"{library} is of {package}"


def test_compose_reads_its_files_and_so_does_the_server():
    folder = pathlib.Path(tempfile.mkdtemp())
    secrets = folder / "secrets.env"
    secrets.write_text(re.sub(r"=$", "=s3cret", (FILES / "compose" / "env.example").read_text(), flags=re.MULTILINE))
    files = ["-f", FILES / "compose.yaml", "-f", FILES / "compose.code.yaml"]
    command = ["docker-compose", "--project-directory", FILES, "--env-file", secrets]
    services = yaml.safe_load(run(*command, *files, "config"))["services"]
    shutil.rmtree(folder)
    for service in services.values():
        for volume in service.get("volumes", []):
            source = (volume if isinstance(volume, str) else f"{volume.get('source')}:").split(":")[0]
            assert not source.startswith("/") or pathlib.Path(source).exists(), source
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), "only to this machine"
    server = services["kdcube"]
    settings = checked_configuration(FILES / "kdcube.yaml", **{k: str(v) for k, v in server["environment"].items()})
    assert settings["stores"]["redis"].endswith("@redis:6379/0") and "@postgres:5432/" in settings["stores"]["postgres"]
    assert settings["sandbox"]["minimum"] == "limited"
    assert seconds(server["stop_grace_period"]) > seconds(settings["server"]["grace"]) + seconds(settings["server"]["drain"])


def test_the_settings_of_redis_are_those_that_the_counters_need(tmp_path, monkeypatch):
    configuration = (FILES / "compose" / "redis.conf").read_text().replace("dir /data", f"dir {tmp_path}")
    (tmp_path / "redis.conf").write_text(configuration)
    original = subprocess.Popen

    def with_configuration(command, **options):
        persistence = ["--save", "", "--appendonly", "no"]
        start = command.index("--save")
        assert command[start : start + 4] == persistence
        return original([command[0], str(tmp_path / "redis.conf"), *command[1:start], *command[start + 4 :]], **options)

    monkeypatch.setattr("rig.process.subprocess.Popen", with_configuration)
    redis = Redis(tmp_path)
    try:
        assert redis.client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert redis.client.config_get("appendonly") == {"appendonly": "yes"}
    finally:
        redis.stop()


# Kubernetes.


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_resources_fit_the_schemas_of_kubernetes(name, tmp_path):
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(yaml.safe_dump_all(kustomize.build(KUBERNETES / name)))
    run("kubernetes-validate", "--strict", rendered)


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_names_ports_probes_and_times_agree(name, server):
    resources = kustomize.build(KUBERNETES / name)
    by_kind = {resource["kind"]: resource for resource in resources}
    assert len(by_kind) == len(resources)
    pod = by_kind["Deployment"]["spec"]["template"]
    (container,) = kustomize.containers(resources)
    settings_file = by_kind["ConfigMap"]["data"]["kdcube.yaml"]

    labels = pod["metadata"]["labels"]
    for selector in (by_kind["Deployment"]["spec"]["selector"]["matchLabels"], by_kind["Service"]["spec"]["selector"]):
        assert selector and selector.items() <= labels.items()
    assert by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert by_kind["Deployment"]["spec"]["replicas"] >= 3
    assert by_kind["Service"]["spec"]["sessionAffinity"] == "ClientIP"

    secret = yaml.safe_load((KUBERNETES / "base" / "secret.example.yaml").read_text())
    variables = {}
    for entry in container["env"]:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        assert reference is None or reference["name"] == secret["metadata"]["name"]
        variables[entry["name"]] = secret["stringData"][reference["key"]] if reference else entry["value"]
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "kdcube.yaml").write_text(settings_file)
    settings = checked_configuration(folder / "kdcube.yaml", **variables)
    shutil.rmtree(folder)

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings["server"]["port"] == ports[by_kind["Service"]["spec"]["ports"][0]["targetPort"]]
    assert settings["server"]["host"] == "0.0.0.0"
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(settings["server"]["port"])
    assert pod["spec"]["terminationGracePeriodSeconds"] > seconds(settings["server"]["grace"]) + seconds(settings["server"]["drain"])
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
        assert server.status(path) == 200
    written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert {settings["stores"]["data"], "/tmp"} == written and container["securityContext"]["readOnlyRootFilesystem"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
    assert f"USER {pod['spec']['securityContext']['runAsUser']}:" in image_lines()


def test_the_example_is_passed_on_to_the_service_and_its_code_is_shut_in():
    resources = {resource["kind"]: resource for resource in kustomize.build(KUBERNETES / "overlays/example")}
    backend = resources["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == resources["Service"]["metadata"]["name"]
    assert backend["port"]["name"] == resources["Service"]["spec"]["ports"][0]["name"]
    pod = resources["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # Kubernetes takes an unmasked /proc only where the pod has a user namespace of its own.
    assert pod["hostUsers"] is False and container["securityContext"]["procMount"] == "Unmasked"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]} and pod["securityContext"]["runAsNonRoot"]


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_our_reading_of_kustomizations_is_kubectls(name):
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is in no package of Debian that is new enough; the other tests read the files themselves")

    def sorted_by_kind(resources: list[dict]) -> list[dict]:
        return sorted(resources, key=lambda resource: resource["kind"])

    printed = re.sub(r"\bkdcube-[a-z0-9]{10}\b", "kdcube", run("kubectl", "kustomize", KUBERNETES / name))
    assert sorted_by_kind(kustomize.build(KUBERNETES / name)) == sorted_by_kind(kustomize.documents(printed))


# systemd.

#: What would keep bubblewrap from shutting code in, whatever it is set to.
AGAINST_SANDBOXES = {
    *("RestrictNamespaces", "PrivateUsers", "ProtectHostname", "ProtectKernelTunables", "ProtectControlGroups"),
    *("ProtectProc", "ProcSubset", "MemoryDenyWriteExecute"),
}


def unit(*files: str) -> dict[str, list[str]]:
    """The settings of the unit and its drop-ins; an empty value takes back what was there, as for systemd."""
    settings: dict[str, list[str]] = {}
    for name in files:
        for line in (SYSTEMD / name).read_text().splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                settings[key] = [*settings.get(key, []), value] if value else []
    return settings


@pytest.mark.parametrize("drop_ins", [[], ["full.conf"]])
def test_systemd_takes_the_unit(drop_ins, tmp_path):
    text = (SYSTEMD / "kdcube.service").read_text().replace("/usr/local/bin/kdcube", str(BINARIES / "kdcube"))
    (tmp_path / "kdcube.service").write_text(text)
    (tmp_path / "kdcube.service.d").mkdir()
    for name in drop_ins:
        shutil.copy(SYSTEMD / name, tmp_path / "kdcube.service.d")
    printed = run("systemd-analyze", "verify", "--man=no", tmp_path / "kdcube.service")
    assert "kdcube" not in printed, printed
    report = run("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=50", tmp_path / "kdcube.service")
    assert "Overall exposure level" in report


def test_the_unit_gives_the_server_time_and_leaves_bubblewrap_what_it_needs():
    settings = unit("kdcube.service")
    assert not AGAINST_SANDBOXES & set(settings)
    assert set(settings["Delegate"][0].split()) == {"memory", "pids", "cpu"}
    forbidden = " ".join(settings["SystemCallFilter"])
    assert forbidden.startswith("~") and not {"@mount", "@process", "@sandbox"} & set(forbidden[1:].split())
    configured = checked_configuration(
        SYSTEMD / "kdcube.yaml", KDCUBE_SANDBOX_MINIMUM=unit("kdcube.service")["Environment"][0].partition("=")[2]
    )
    assert int(settings["TimeoutStopSec"][0]) > seconds(configured["server"]["grace"]) + seconds(configured["server"]["drain"])
    assert configured["sandbox"]["minimum"] == "limited"
    assert configured["stores"]["data"] == f"/var/lib/{settings['StateDirectory'][0]}"


def level(*prefix: str, data: pathlib.Path) -> str:
    """What `kdcube doctor` says of the isolation when it is started by this command."""
    report = json.loads(run(*prefix, BINARIES / "kdcube", "doctor", "--data", data, "--json"))
    return next(line["detail"] for line in report if line["name"] == "isolation")


@pytest.fixture
def open_folder():
    """A folder that other users reach, which pytest's own are not."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kdcube-deployment-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take rights away as the units do")
def test_the_rights_of_the_units_are_enough_for_their_levels(open_folder):
    """The rights alone: systemd's namespaces and filters are not here."""
    if not level(data=open_folder / "all").startswith("full"):
        pytest.skip("this machine does not reach the level full with all rights either: kdcube doctor")
    capabilities = " ".join(unit("kdcube.service", "full.conf")["CapabilityBoundingSet"]).split()
    bounding = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)])
    restricted = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={bounding}"]
    assert level(*restricted, data=open_folder / "few").startswith("full")

    nobody = ["setpriv", "--no-new-privs", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    if subprocess.run([*nobody, "test", "-x", BINARIES / "kdcube"], check=False).returncode != 0:
        pytest.skip("the server's program is in a folder that other users cannot reach")
    assert level(*nobody, data=open_folder / "none").startswith("limited")


# Prometheus and Grafana.


def test_promtool_takes_configuration_and_rules_and_the_alerts_are_raised_as_meant():
    run("promtool", "check", "config", "prometheus.yml", cwd=PROMETHEUS)
    run("promtool", "check", "rules", "rules.yml", cwd=PROMETHEUS)
    run("promtool", "test", "rules", "rules.test.yml", cwd=PROMETHEUS)


def expressions() -> list[str]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    board = json.loads((FILES / "grafana" / "kdcube.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for group in groups for rule in group["rules"]] + asked


def test_every_metric_of_board_and_alerts_exists(server):
    text = requests.get(server.url + "/metrics", timeout=10).text
    served = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    sources = "".join(path.read_text() for path in (ROOT / "Sources").rglob("*.swift"))
    used = set(re.findall(r"\bkdcube_\w+", " ".join(expressions())))
    assert len(used) > 40
    for name in sorted(re.sub(r"_bucket$", "", name) for name in used):
        assert name in served or name in AFTER_USE, f"{name} is in neither /metrics nor AFTER_USE"
        assert f'"{name}"' in sources
    assert set(AFTER_USE) <= {re.sub(r"_bucket$", "", name) for name in used}


def test_the_board_can_be_loaded():
    board = json.loads((FILES / "grafana" / "kdcube.json").read_text())
    numbers = [panel["id"] for panel in board["panels"]]
    assert board["uid"] and board["title"] and len(set(numbers)) == len(numbers)
    variables = {f"${variable['name']}" for variable in board["templating"]["list"]}
    for expression in expressions():
        assert set(re.findall(r"\$(?!__)\w+", expression)) <= variables, expression
    cells: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        mine = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not mine & cells, f"{panel['title']} lies on another panel"
        cells |= mine
    for name in ("datasource.yaml", "provider.yaml"):
        assert yaml.safe_load((FILES / "grafana" / name).read_text())["apiVersion"] == 1


# The document.


def test_the_commands_of_the_document_are_the_programs_own():
    text = (ROOT / "docs" / "deployment.md").read_text()
    commands = re.findall(
        r"(?:^|[ `])kdcube ((?:keys|budget|audit|policy|reconcile|doctor|usage|check-config|serve)\b[^`\n]*)", text, re.MULTILINE
    )
    assert len(commands) > 8
    for command in commands:
        words = command.split()
        subcommand = list(itertools.takewhile(lambda word: re.fullmatch(r"[a-z-]+", word) and not word.startswith("-"), words))
        help_text = run(BINARIES / "kdcube", *subcommand[:2], "--help")
        assert f"USAGE: kdcube {' '.join(subcommand[:2])}" in help_text, command
        for flag in re.findall(r"--[a-z-]+", command):
            assert f"{flag} " in help_text, f"{command}: no {flag}"


def test_the_files_that_the_document_names_are_there():
    table = (ROOT / "docs" / "deployment.md").read_text().partition("| file | for |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(named) > 10
    for name in named:
        assert (FILES / name).exists(), name
