#!/bin/sh
# Installs Debian packages without starting their services. Run under flock: one clone at a time.
# Usage: apt-install.sh <package>...
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
mark='# written by the Dovekeeper lab while it installs packages'

# Debian's packages start their services unless this file forbids it. Ours goes away again; one that
# an earlier run left behind because it was killed is known by its mark.
forget_policy() {
  if [ -f "$policy" ] && grep -qxF "$mark" "$policy"; then rm -f "$policy"; fi
}
trap forget_policy EXIT
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

# The lists have a lock of their own, for which apt does not wait.
tries=0
until apt-get -q update -o Acquire::Retries=3; do
  tries=$((tries + 1))
  if [ "$tries" -ge 20 ]; then exit 1; fi
  sleep 3
done
apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
  -o Acquire::Retries=3 "$@"
