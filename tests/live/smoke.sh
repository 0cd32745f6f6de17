#!/bin/bash
# smoke.sh: the smoke suite, then proof that nothing of it is left; and once more
# after a run that is killed outright in the middle.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
shared=(/run/containerd /run/netns /run/xtables.lock /var/lib/cni /var/lib/kubelet /var/log/containers)
before=$(ls -d "${shared[@]}" 2>/dev/null; sysctl vm.overcommit_memory kernel.panic kernel.panic_on_oops)
failed=0

clean() {
    local after
    "$here/leftovers.sh" || { echo "leftovers after $1"; failed=1; }
    after=$(ls -d "${shared[@]}" 2>/dev/null; sysctl vm.overcommit_memory kernel.panic kernel.panic_on_oops)
    # /run/netns stays while another run lives.
    [ "$(grep -v /run/netns <<<"$before")" = "$(grep -v /run/netns <<<"$after")" ] ||
        { diff <(echo "$before") <(echo "$after"); echo "the machine changed: $1"; failed=1; }
}

"$here/run" smoke || failed=1
clean "a whole run"

"$here/run" smoke >/dev/null 2>&1 &
victim=$!
sleep "${KILL_AFTER:-25}"
kill -9 "$victim"
wait "$victim" 2>/dev/null
echo "killed a run; it left:"
"$here/leftovers.sh" | cut -c1-100
"$here/run" smoke || failed=1
clean "the run after a killed one"

[ $failed = 0 ] && echo "smoke.sh passed"
exit $failed
