#!/usr/bin/env bash
# Known weaknesses of what we depend on, as the registries themselves tell: pip-audit for PyPI, npm audit for npm. Fails where one
# is known. Where a registry's advisories can't be reached it says so and goes on; AUDIT_STRICT=1 fails there too.
set -uo pipefail
cd "$(dirname "$0")/.."
tools=.concord/audit
found=0 unknown=0

unreachable() {
  echo "NOT AUDITED ($1): its advisories can't be reached from here: $2"
  unknown=1
}

if [ ! -x "$tools/bin/pip-audit" ]; then
  "${PYTHON:-python3}" -m venv "$tools" && "$tools/bin/python" -m pip install --quiet --disable-pip-version-check pip-audit 2>/dev/null
fi
if [ -x "$tools/bin/pip-audit" ]; then
  # Strict, or packages whose advisories it could not read would count as sound.
  report=$("$tools/bin/pip-audit" --strict --requirement .ci/constraints.txt --no-deps --disable-pip --progress-spinner off 2>&1)
  case $? in
    0) echo "PyPI: no known weakness in $(grep -c == .ci/constraints.txt) packages" ;;
    *) if grep -qE "found [0-9]+ known vulnerabilit" <<<"${report,,}"; then
         echo "$report"; found=1
       else
         unreachable PyPI "$(grep -vE '^\s*$' <<<"$report" | tail -1 | cut -c1-200)"
       fi ;;
  esac
else
  unreachable PyPI "pip-audit can't be installed"
fi

if command -v npm >/dev/null; then
  place=$(mktemp -d)
  cp gateway/console/source/package.json gateway/console/source/package-lock.json "$place"
  report=$(cd "$place" && npm audit --package-lock-only --audit-level=low 2>&1)
  case $? in
    0) echo "npm: no known weakness in what the query page is built of" ;;
    *) if grep -qE "[0-9]+ (low|moderate|high|critical)" <<<"$report"; then
         echo "$report"; found=1
       else
         unreachable npm "$(grep -E 'warn|error' <<<"$report" | head -1 | cut -c1-200)"
       fi ;;
  esac
  rm -rf "$place"
else
  unreachable npm "npm is not installed"
fi
exit $((found || (unknown && ${AUDIT_STRICT:-0})))
