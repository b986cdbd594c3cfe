#!/usr/bin/env bash
# Makes the documentation of every library product as a static site under .build-docs/, with the toolchain's own docc.
# What DocC warns of, for instance a link that leads nowhere, is an error; a parameter without words of its own is none,
# because a comment says only what the signature does not.
set -euo pipefail
cd "$(dirname "$0")/.."
site=.build-docs

swift package dump-symbol-graph --minimum-access-level public --skip-synthesized-members
graphs=$(swift build --show-bin-path)/../symbolgraph
rm -rf "$site"
mkdir -p "$site/graphs"

# Prints "PRODUCT FOLDER" for each library product: a product has one target, and the target its folder.
products=$(swift package dump-package | python3 -c '
import json, sys
package = json.load(sys.stdin)
folders = {target["name"]: target.get("path") for target in package["targets"]}
for product in package["products"]:
    if "library" in product["type"]:
        assert product["targets"] == [product["name"]], product
        print(product["name"], folders[product["name"]])
')

while read -r product folder; do
  mkdir "$site/graphs/$product"
  cp "$graphs/$product".symbols.json "$site/graphs/$product/"
  # Extensions of other modules, if there are any.
  find "$graphs" -name "$product@*.symbols.json" -exec cp {} "$site/graphs/$product/" \;
  catalog=$(find "$folder" -name '*.docc' -maxdepth 1)
  # shellcheck disable=SC2086
  docc convert $catalog --additional-symbol-graph-dir "$site/graphs/$product" --fallback-display-name "$product" \
    --fallback-bundle-identifier "kdcube.$product" --transform-for-static-hosting --hosting-base-path "$product" \
    --diagnostics-file "$site/graphs/$product.json" --output-path "$site/$product" >/dev/null
  python3 - "$site/graphs/$product.json" <<'CHECK'
import json, os, sys
findings = [
    f"{os.path.relpath(item['source'].removeprefix('file://')) if 'source' in item else '?'}:"
    f"{item.get('range', {}).get('start', {}).get('line', '?')}: {item['summary']}"
    for item in json.load(open(sys.argv[1]))["diagnostics"]
    if item["severity"] in ("warning", "error") and not item["summary"].endswith("is missing documentation")
]
print(*findings, sep="\n", file=sys.stderr)
sys.exit(1 if findings else 0)
CHECK
  echo "docs: $site/$product; to read: python3 -m http.server -d $site, then /$product/documentation/$(tr '[:upper:]' '[:lower:]' <<<"$product")/"
done <<<"$products"
rm -r "$site/graphs"
