"""As much of Kustomize as our files use, so that they are checked where kubectl is not. Names of ConfigMaps stay without their hash."""

import copy
import pathlib

import yaml

#: By what the elements of a list are told apart when a patch is merged into it; lists of others are replaced.
_KEYS = {"containers": "name", "env": "name", "volumes": "name", "ports": "containerPort", "volumeMounts": "mountPath"}
_KNOWN = {*("apiVersion", "kind", "namespace", "labels", "resources", "components", "images", "replicas", "patches", "configMapGenerator")}


def documents(text: str) -> list[dict]:
    return [document for document in yaml.safe_load_all(text) if document]


def build(folder: pathlib.Path) -> list[dict]:
    """The resources of a kustomization, as `kubectl kustomize` would print them."""
    return _apply(folder, [])


def _apply(folder: pathlib.Path, found: list[dict]) -> list[dict]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = set(kustomization) - _KNOWN
    assert not unknown, f"{folder}: this reader does not know {unknown}"
    for name in kustomization.get("resources", []):
        path = folder / name
        found += build(path) if path.is_dir() else documents(path.read_text())
    for entry in kustomization.get("configMapGenerator", []):
        _generate(folder, entry, found)
    for name in kustomization.get("components", []):
        found = _apply(folder / name, found)
    for patch in kustomization.get("patches", []):
        for change in documents((folder / patch["path"]).read_text()):
            matching = [one for one in found if (one["kind"], one["metadata"]["name"]) == (change["kind"], change["metadata"]["name"])]
            assert len(matching) == 1, f"{folder}/{patch['path']} changes {len(matching)} resources"
            _merge(matching[0], change)
    for entry in kustomization.get("labels", []):
        for resource in found:
            _label(resource, entry["pairs"], entry.get("includeSelectors", False))
    for entry in kustomization.get("replicas", []):
        next(one for one in found if one["kind"] == "Deployment" and one["metadata"]["name"] == entry["name"])["spec"]["replicas"] = entry[
            "count"
        ]
    for entry in kustomization.get("images", []):
        for container in containers(found):
            if container["image"] == entry["name"]:
                container["image"] = f"{entry.get('newName', entry['name'])}:{entry['newTag']}"
    if namespace := kustomization.get("namespace"):
        for resource in found:
            if resource["kind"] != "Namespace":
                resource["metadata"]["namespace"] = namespace
    return found


def containers(resources: list[dict]) -> list[dict]:
    return [one for resource in resources if resource["kind"] == "Deployment" for one in resource["spec"]["template"]["spec"]["containers"]]


def _generate(folder: pathlib.Path, entry: dict, found: list[dict]) -> None:
    data = {name: (folder / name).read_text() for name in entry["files"]}
    existing = [one for one in found if one["kind"] == "ConfigMap" and one["metadata"]["name"] == entry["name"]]
    if entry.get("behavior") == "replace":
        existing[0]["data"] = data
    else:
        assert not existing
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": entry["name"]}, "data": data})


def _label(resource: dict, pairs: dict, selectors: bool) -> None:
    resource["metadata"].setdefault("labels", {}).update(pairs)
    spec = resource.get("spec", {})
    if selectors and (resource["kind"] == "Deployment" or "matchLabels" in (spec.get("selector") or {})):
        spec.setdefault("selector", {}).setdefault("matchLabels", {}).update(pairs)
    if selectors and resource["kind"] == "Service":
        spec.setdefault("selector", {}).update(pairs)
    if selectors and resource["kind"] == "Deployment":
        spec["template"].setdefault("metadata", {}).setdefault("labels", {}).update(pairs)


def _merge(base: dict, change: dict) -> None:
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            _merge(base[name], value)
        elif isinstance(value, list) and name in _KEYS and name in base:
            for element in value:
                same = [one for one in base[name] if one[_KEYS[name]] == element[_KEYS[name]]]
                _merge(same[0], element) if same else base[name].insert(0, copy.deepcopy(element))
        else:
            base[name] = copy.deepcopy(value)
