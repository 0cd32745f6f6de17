#!/usr/bin/env bash
# From nothing to rows by year: what a spark-submit script does, for the two resources of this folder.
#
#   run.sh              on the cluster that kubectl speaks to
#   run.sh --client     the same in a process of this machine, without a cluster
#
#   --kafka HOST:PORT   brokers (kafka.library.svc:9092; with --client localhost:9092)
#   --hdfs URL          where the zones are (hdfs://namenode.library.svc:8020)
#   --image IMAGE       of the sample producer (gristmill:0.1.0)
#   --local DIR         with --client: folder of the zones (/tmp/books)
#
# It may be run again: it then sends the same messages once more, and the rows stay as they are.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

client='' kafka='' hdfs=hdfs://namenode.library.svc:8020 image=gristmill:0.1.0 folder=/tmp/books

die() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }
say() { printf '== %s\n' "$*"; }

while [ $# -gt 0 ]; do
    case $1 in
    --client) client=yes ;;
    --kafka | --hdfs | --image | --local)
        [ $# -gt 1 ] || die "$1 needs a value; see the head of this file"
        case $1 in --kafka) kafka=$2 ;; --hdfs) hdfs=$2 ;; --image) image=$2 ;; --local) folder=$2 ;; esac
        shift
        ;;
    *) die "there is no option $1; see the head of this file" ;;
    esac
    shift
done

# The documents as they stand in this folder, with your addresses.
document() { # document FILE
    sed "s#kafka.library.svc:9092#$kafka#; s#hdfs://namenode.library.svc:8020#$hdfs#; s#image: gristmill:0.1.0#image: $image#" "$here/$1"
}

until_true() { # until_true WHAT NEXT_ACT COMMAND...: for five minutes
    local what=$1 act=$2 end=$((SECONDS + 300))
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || die "waited 5 minutes in vain until $what; $act"
        sleep 1
    done
}

# How many messages the log of RAW accounts for; none while there is no log.
committed() { { inspect "$raw" 2>/dev/null || true; } | awk '/^offsets / { n = $2 } END { print n + 0 }'; }
is_committed() { [ "$(committed)" -ge "$1" ]; }

# A year is a directory, and the log knows the rows of each file.
rows_by_year() {
    inspect --files "$processed" |
        awk '{ for (i = 2; i <= NF; i++) if ($i == "rows") rows = $(i - 1) }
             match($0, /publication_year=[^\/]*/) { years[substr($0, RSTART + 17, RLENGTH - 17)] += rows; all += rows }
             END { for (year in years) printf "%6s %8d\n", year, years[year] | "sort"; close("sort"); printf "%6s %8d\n", "all", all }'
}

on_cluster() {
    : "${kafka:=kafka.library.svc:9092}"
    raw=$hdfs/raw_zone/books processed=$hdfs/processed_zone/books
    # No cluster manager to name, no jars to ship: the operator is there already.
    command -v kubectl >/dev/null || die "kubectl is not there; install it, or use run.sh --client"
    kubectl get namespaces >/dev/null || die "kubectl reaches no cluster; see \`kubectl config get-contexts\`, or use run.sh --client"
    kubectl get crd streamingests.gristmill.dev hourlycompactions.gristmill.dev >/dev/null ||
        die "the definitions of Gristmill are not there; see docs/guide/install.md"
    inspect() { kubectl exec -n library deployment/books-ingest -- gristmill inspect --user etl "$@"; }

    say "namespace, and 3000 messages for book_data_topic, which is made if it is not there"
    kubectl apply -f "$here/00-namespace.yaml"
    local before
    before=$(committed)
    kubectl delete job book-producer -n library --ignore-not-found
    document producer.yaml | kubectl apply -f -
    until_true "the messages are sent" "see \`kubectl describe job book-producer -n library\`" job_ended book-producer
    kubectl logs job/book-producer -n library

    # This is the spark-submit: executors are spec.scaling and spec.pod, --files are names of ConfigMaps, and
    # nothing has to stay open here.
    say "both resources"
    document books.yaml | kubectl apply -f -
    until_true "StreamIngest books is ready" "is an operator running? See \`kubectl describe streamingest books -n library\`" is_ready
    until_true "its messages are in RAW" "see \`kubectl describe streamingest books -n library\`" is_committed $((before + 3000))
    kubectl get streamingest books -n library

    # The crontab line is spec.schedule. This is one run more.
    say "the compaction, now"
    local job
    job=books-now-$(date +%s)
    until_true "CronJob books-compaction is there" "see \`kubectl describe hourlycompaction books -n library\`" \
        exists cronjob books-compaction
    kubectl create job "$job" -n library --from=cronjob/books-compaction
    until_true "the run has ended" "see \`kubectl describe job $job -n library\`" job_ended "$job"
    kubectl logs "job/$job" -n library | tail -n 3

    say "rows by year in $processed"
    rows_by_year
}

exists() { kubectl get "$1" "$2" -n library >/dev/null 2>&1; }
is_ready() { [ "$(field streamingest books Ready)" = True ]; }
field() { kubectl get "$1" "$2" -n library -o "jsonpath={.status.conditions[?(@.type=='$3')].status}"; }
job_ended() { # job_ended NAME: true at its success; its failure ends the script
    [ "$(field job "$1" Failed)" != True ] || die "job $1 failed: $(kubectl logs "job/$1" -n library --tail=3)"
    [ "$(field job "$1" Complete)" = True ]
}

in_this_process() {
    : "${kafka:=localhost:9092}"
    command -v gristmill >/dev/null || die "gristmill is not there; \`cargo install --locked --path worker\`, or add its folder to PATH"
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    local file=$folder/books.yaml raw=$folder/books/raw processed=$folder/books/processed
    document books.yaml >"$file"
    inspect() { gristmill inspect "$@"; }

    say "3000 messages for book_data_topic at $kafka, which is made if it is not there"
    local before
    before=$(committed)
    gristmill produce -f "$file" --count 3000 --seed 42 --duplicates 2 --malformed 2 --invalid 3 ||
        die "no messages were sent; name your broker by --kafka HOST:PORT. Without one, \`gristmill demo\` brings its own"

    # This is `spark-submit --deploy-mode client`: ingest all the time, compaction by its schedule, until it is ended.
    say "gristmill run, with all zones in $folder; its log is $folder/run.log"
    gristmill run -f "$file" --local "$folder" >"$folder/run.log" 2>&1 &
    process=$!
    trap end_process EXIT
    until_true "the messages are in RAW" "see $folder/run.log" is_committed_and_running $((before + 3000))
    inspect "$raw" | sed -n 2,3p

    say "the compaction, now"
    gristmill compact -f "$file" --local "$folder" 2>>"$folder/run.log" || die "the run failed; see $folder/run.log"

    say "rows by year in $processed"
    rows_by_year
}

is_committed_and_running() {
    kill -0 "$process" 2>/dev/null || die "gristmill run has ended: $(tail -n 1 "$folder/run.log")"
    is_committed "$1"
}
# It commits what it has read and leaves its group.
end_process() {
    kill -TERM "$process" 2>/dev/null || true
    wait "$process" || true
}

if [ -n "$client" ]; then in_this_process; else on_cluster; fi
