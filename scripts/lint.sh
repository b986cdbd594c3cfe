#!/usr/bin/env bash
# Format check of the Swift code and the house rules that a tool can check. Prints every finding; exits 1 on any.
set -uo pipefail
cd "$(dirname "$0")/.."
status=0

folders=()
for folder in Sources Tests Benchmarks Examples; do [ -d "$folder" ] && folders+=("$folder"); done
swift format lint --strict --recursive --parallel "${folders[@]}" Package.swift || status=1

# What users of the library products see, and of what those show again, has words.
documented=$(python3 -c '
import json
configuration = json.load(open(".swift-format"))
configuration["rules"]["AllPublicDeclarationsHaveDocumentation"] = True
print(json.dumps(configuration))')
swift format lint --strict --recursive --parallel --configuration "$documented" \
  Sources/Transport/Realtime Sources/Transport/Redis Sources/Support/JSON Sources/Support/Telemetry || status=1

ruff=.tools/venv/bin/ruff
if [ -x $ruff ]; then
  $ruff check --quiet Tests/EndToEnd Benchmarks scripts || status=1
  $ruff format --quiet --check Tests/EndToEnd Benchmarks scripts || status=1
else
  echo "lint: the Python check needs scripts/setup.sh --test; skipped"
fi

# report TITLE: fails the check when there is anything on stdin.
report() {
  local rows
  rows=$(cat)
  [ -n "$rows" ] || return 0
  printf '%s\n%s\n' "$1" "$rows"
  status=1
}

tracked() { git ls-files --cached --others --exclude-standard -z -- "$@"; }

report "Files over 400 lines (split them, or give the reason in their first ten lines with 'Long because'):" < <(
  tracked '*.swift' '*.js' '*.py' '*.lua' '*.sh' | xargs -0 wc -l | awk '$2 != "total" && $1 > 400 {print $2}' |
    while read -r file; do head -n 10 "$file" | grep -q 'Long because' || echo "$file"; done)

report "Paths of one machine:" < <(
  tracked '*' ':!scripts/lint.sh' | xargs -0 grep -nIE '/(home|Users|root|work)/[a-z]' 2>/dev/null)

report "Package registries by address (plain names only):" < <(
  tracked '*' ':!scripts/lint.sh' | xargs -0 grep -nIE 'index-url|--registry|pypi\.org|npmjs|files\.pythonhosted' 2>/dev/null)

report "Trailing blanks or tabs:" < <(
  tracked '*.swift' '*.js' '*.mjs' '*.css' '*.html' '*.py' '*.lua' '*.md' '*.sh' '*.yaml' | xargs -0 grep -nIE '[[:blank:]]+$' 2>/dev/null)

# A token's claim is a text until the server has read it; LiteLLM's field is one of a body.
report "Organisations as plain text (take an OrgID, or a CounterSlot for counters; parse where the text comes in):" < <(
  tracked 'Sources/*.swift' ':!Sources/Support/JWT/JWTClaims.swift' |
    xargs -0 grep -nE '\b(org|organi[sz]ation)s?: (\[|Set<)?String\b|\b(of|in|on|after|for|_) orgs?: (\[|Set<)?String\b' |
    grep -v 'LiteLLM/KeyFields.swift')

for script in scripts/*.sh Benchmarks/*.sh .ci/run; do
  [ -f "$script" ] && { bash -n "$script" || status=1; }
done
exit $status
