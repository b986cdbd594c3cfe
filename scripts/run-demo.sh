#!/usr/bin/env bash
# Starts the server for a first look: embedded stores in .tools/demo-data, the scripted model, policies, demo keys.
# When the real model was installed (make model) it is started too. Ends with Ctrl-C.
# usage: PORT=8000 scripts/run-demo.sh PATH_TO_KDCUBE
set -euo pipefail
cd "$(dirname "$0")/.."
kdcube=$1
data=.tools/demo-data
config=$data/kdcube.yaml
python=.tools/venv/bin/python
children=()

stop() {
  trap - EXIT INT TERM
  for child in "${children[@]}"; do kill -TERM "$child" 2>/dev/null || true; done
  wait
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

# The wanted port, or the next one that nobody listens on.
free_port() {
  $python -c '
import socket, sys
for port in range(int(sys.argv[1]), 65536):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(port)
        break
' "$1"
}

# wait_for URL PID SECONDS: until the address answers; fails when the process ends first.
wait_for() {
  local deadline=$((SECONDS + $3))
  until curl --silent --fail --output /dev/null --max-time 2 "$1"; do
    kill -0 "$2" 2>/dev/null || { echo "run: the process behind $1 ended; its messages are above" >&2; return 1; }
    [ $SECONDS -lt $deadline ] || { echo "run: $1 did not answer within $3 seconds" >&2; return 1; }
    sleep 0.2
  done
}

mkdir -p $data
# A copy: the console publishes into it.
[ -d $data/policies ] || cp -R scripts/demo/policies $data/policies
[ -f $data/tools.yaml ] || cp scripts/demo/tools.yaml $data/tools.yaml
cat > $config <<YAML
models:
  - { id: demo, provider: scripted }
YAML
if ls .tools/model/*.gguf >/dev/null 2>&1; then
  model_port=$(free_port 8011)
  scripts/model.sh serve "$model_port" >$data/model.log 2>&1 &
  children+=($!)
  wait_for "http://127.0.0.1:$model_port/health" $! 60
  cat >> $config <<YAML
  - { id: smollm2, provider: openai, base_url: "http://127.0.0.1:$model_port/v1", api_key: "none", upstream_model: smollm2 }
YAML
fi
cat >> $config <<YAML
prices: { file: "$PWD/scripts/demo/prices.json" }
stores: { data: "$PWD/$data" }
tools: { file: "$PWD/$data/tools.yaml" }
policies: { directory: "$PWD/$data/policies" }
# A laptop without cgroups of its own may still run the demo's code; a server should ask for full.
sandbox: { minimum: limited }
YAML

port=$(free_port "${PORT:-8000}")
"$kdcube" serve --config $config --host 127.0.0.1 --port "$port" &
server=$!
children+=($server)
wait_for "http://127.0.0.1:$port/readyz" $server 60

# create_key FILE ARGUMENTS...: makes the key once and prints the secret at every start.
create_key() {
  local file=$data/$1
  shift
  [ -s "$file" ] || (umask 077 && "$kdcube" keys create --config $config --json "$@" >"$file.new" && mv "$file.new" "$file")
  $python -c 'import json, sys; print(json.load(open(sys.argv[1]))["key"])' "$file"
}
user_key=$(create_key user-key.json --org demo --project web --user you)
admin_key=$(create_key admin-key.json --org demo --project web --user operator --role admin)
operator_key=$(create_key operator-key.json --org demo --project web --user root --role admin --role operator)
finance_key=$(create_key finance-key.json --org demo --project web --user finn --role finance)

base=http://127.0.0.1:$port
cat <<TEXT

  chat page   $base/#key=$user_key
  console     $base/console/#key=$operator_key
  user key    $user_key
  admin key   $admin_key
  operator    $operator_key
  finance key $finance_key

  Cap the project, then send a prompt and watch the stream stop at the cap:

    $kdcube budget set --data $data --scope project:demo/web --unit usd --window day --limit 0.003

  Let the scripted model write Python: the page's starters show it, or send

    @code
    \`\`\`python
    from agent_tools import tools
    tools.crm.lookup(customer="C1")
    \`\`\`

  Refund more than the policies let a model refund by itself, and agree to it as finance in another window:

    @tool payments.refund {"order_id": "A1", "amount": "120.00"}
    $base/console/#key=$finance_key

  Stop with Ctrl-C. The data is kept in $data.

TEXT
wait $server
