#!/usr/bin/env bash
# profile.sh BENCH_GUARD STAGE: instructions of a record in a stage, by function, as callgrind counts them. What a round
# costs is the difference between two runs, so that the making of the messages is not in it. Code that was inlined counts
# for the function that it is in now.
set -euo pipefail
program=$1 stage=$2 rounds=8
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

costs() { # costs ROUNDS: lines of COUNT FILE:FUNCTION [PROGRAM]
    local out=$directory/callgrind.$1
    valgrind --tool=callgrind --callgrind-out-file="$out" "$program" --run "$stage" "$1" >"$out.told" 2>&1 || {
        cat "$out.told" >&2
        return 1
    }
    callgrind_annotate --threshold=100 --auto=no --show-percs=no "$out" | grep -E '^ *[0-9,]+  [^ ]*:'
}
costs 1 >"$directory/one"
costs $((rounds + 1)) >"$directory/all"
records=$(sed -n 's/^\([0-9]*\) records$/\1/p' "$directory/callgrind.1.told")
awk -v rounds="$rounds" -v records="$records" -v stage="$stage" '
    {
        count = $1
        gsub(",", "", count)
        sub(/^ *[^ ]+ +[^:]*:/, "")
        sub(/ \[[^]]*\]$/, "")
        cost[$0] += FNR == NR ? -count : count
    }
    END {
        for (name in cost) sum += cost[name]
        printf "%s: %.0f instructions a record, by functions of half a percent and more\n", stage, sum / rounds / records
        for (name in cost) if (cost[name] > sum / 200)
            printf "%8.0f %5.1f %%  %s\n", cost[name] / rounds / records, 100 * cost[name] / sum, name | "sort -rn"
    }' "$directory/one" "$directory/all"
