//! What a user reads, as it stands on the terminal.

use gristmill_crds::report::{PartitionMove, PartitionReport, RewindReport};
use kubectl_gristmill::cluster::Scope;
use kubectl_gristmill::error::Error;
use kubectl_gristmill::table::WIDTH;
use kubectl_gristmill::{lag, rejected, rewind, status};
use serde_json::{Value, json};

use crate::facts::{compaction, condition, good, held, now, read, report, stream};

fn screen(objects: &[Value]) -> String {
    let resources: Vec<_> = objects.iter().cloned().map(read).collect();
    status::render(&resources, &Scope::Namespace("library".to_owned()), now())
}

/// Nothing may be wider than a terminal.
fn narrow(text: String) -> String {
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
    assert!(wide.is_empty(), "wider than {WIDTH}: {wide:#?}");
    text
}

#[test]
fn two_resources_that_are_fine_take_two_lines() {
    let compacted = compaction("books", &[condition("Ready", "True", "LastRunSucceeded", "Job b-1 ended")]);
    insta::assert_snapshot!(narrow(screen(&[stream("books", &good()), compacted])), @r"
    2 resources: fine

    NAMESPACE  STREAMINGEST  FINE  REASON       LAG  SECONDS  REJECTED%  WORKERS  COMMITTED
    library    books         yes   Ingesting  18200       42        0.2      2/2     4m ago

    NAMESPACE  HOURLYCOMPACTION  FINE  REASON            SUCCEEDED  WRITTEN  THROUGH  RUNS NOW
    library    books             yes   LastRunSucceeded     7m ago    90846  15m ago
    ");
}

#[test]
fn held_ingest_and_failed_run_say_why_and_what_to_do() {
    let failed = "Job books-compaction-29 at 2026-11-23T05:06:00Z: StoreDenied: cannot write \
                  hdfs://nameservice1/processed_zone/books: permission denied for user etl; give the user the right to write";
    let failed = compaction("books", &[condition("Ready", "False", "LastRunFailed", failed)]);
    insta::assert_snapshot!(narrow(screen(&[stream("books", &held()), failed])), @r"
    2 resources: 2 NOT fine

    NAMESPACE  STREAMINGEST  FINE  REASON                    LAG  SECONDS  REJECTED%  WORKERS  COMMITTED
    library    books         no    RejectedBudgetExceeded  18200       42        0.2      2/2     4m ago

    NAMESPACE  HOURLYCOMPACTION  FINE  REASON         SUCCEEDED  WRITTEN  THROUGH  RUNS NOW
    library    books             no    LastRunFailed     7m ago    90846  15m ago

    sti/books in library
      Ready=False RejectedBudgetExceeded for 4m
        12 % of 20000 messages in 600 s have rejects, where 5 % are tolerated: NoRows 2400
        (book_data_topic/3/1044); correct spec.record or the producer, then resume
      next: kubectl gristmill rejected sti/books -n library
      next: kubectl gristmill resume sti/books -n library

    hc/books in library
      Ready=False LastRunFailed for 4m
        Job books-compaction-29 at 2026-11-23T05:06:00Z: StoreDenied: cannot write
        hdfs://nameservice1/processed_zone/books: permission denied for user etl; give the user the
        right to write
      next: kubectl gristmill logs hc/books -n library
      next: kubectl gristmill run-now hc/books -n library
    ");
}

#[test]
fn suspended_limited_and_unseen_resources_are_told_apart_from_bad_ones() {
    let suspended = [
        condition("Ready", "True", "Suspended", "spec.suspend is true"),
        condition("Suspended", "True", "Suspended", "spec.suspend is true"),
    ];
    let limited = [
        condition("Ready", "True", "Ingesting", "8 of 8 partitions"),
        condition("ScalingLimited", "True", "Partitions", "8 workers for 8 partitions; 12 were asked for"),
    ];
    let mut changed = stream("changed", &good());
    changed["metadata"]["generation"] = 8.into();
    let objects =
        [stream("a-suspended", &suspended), stream("b-limited", &limited), changed, compaction("unseen", &[])];
    insta::assert_snapshot!(narrow(screen(&objects)), @r"
    4 resources: 2 on the way

    NAMESPACE  STREAMINGEST  FINE   REASON       LAG  SECONDS  REJECTED%  WORKERS  COMMITTED
    library    a-suspended   yes    Suspended  18200       42        0.2      2/2     4m ago
    library    b-limited     yes    Ingesting  18200       42        0.2      2/2     4m ago
    library    changed       waits  Ingesting  18200       42        0.2      2/2     4m ago

    NAMESPACE  HOURLYCOMPACTION  FINE   REASON   SUCCEEDED  WRITTEN  THROUGH  RUNS NOW
    library    unseen            waits  NotSeen     7m ago    90846  15m ago

    sti/a-suspended in library
      Suspended=True Suspended for 4m
        spec.suspend is true
      next: kubectl gristmill resume sti/a-suspended -n library

    sti/b-limited in library
      ScalingLimited=True Partitions for 4m
        8 workers for 8 partitions; 12 were asked for

    sti/changed in library
      Ready=Unknown NotSeen
        the operator has not seen the newest change yet: the status is of generation 7, the spec of 8

    hc/unseen in library
      Ready=Unknown NotSeen
        no operator has looked at it yet; see `kubectl get pods -A -l
        app.kubernetes.io/name=gristmill-operator`
    ");
}

#[test]
fn refused_spec_names_no_command_that_cannot_help() {
    let message = "spec.record.columns[2].path: \"ancestor::name\" is not a path; write a/b/@c";
    let refused = [condition("Accepted", "False", "Invalid", message), condition("Ready", "False", "Invalid", message)];
    insta::assert_snapshot!(narrow(screen(&[stream("broken", &refused)])), @r#"
    1 resource: 1 NOT fine

    NAMESPACE  STREAMINGEST  FINE  REASON     LAG  SECONDS  REJECTED%  WORKERS  COMMITTED
    library    broken        no    Invalid  18200       42        0.2      2/2     4m ago

    sti/broken in library
      Accepted=False Invalid for 4m
        spec.record.columns[2].path: "ancestor::name" is not a path; write a/b/@c
    "#);
}

#[test]
fn long_names_fit_and_a_status_of_another_version_hides_nothing() {
    let name = |letter: &str| format!("{}-{}", letter.repeat(20), "z".repeat(19));
    let mut other = stream(&name("o"), &good());
    other["metadata"]["namespace"] = "n".repeat(63).into();
    other["status"]["lag"] = json!({"records": i64::MAX, "seconds": i64::MAX});
    let mut unreadable = stream(&name("u"), &good());
    unreadable["status"]["replicas"] = "two".into();
    insta::assert_snapshot!(narrow(screen(&[other.clone(), unreadable])), @r"
    2 resources: fine

    NAME…ACE  STRE…EST  FINE  REASON                 LAG          SECONDS  REJECTED%  WORKERS  COMMITTED
    nnnn…nnn  oooo…zzz  yes   Inge…ing  92233720…4775807  9223372…4775807        0.2      2/2     4m ago
    library   uuuu…zzz  yes   Inge…ing
    ");
    other["spec"]["source"]["kafka"]["topic"] = "t".repeat(249).into();
    insta::assert_snapshot!(narrow(lag::render(&[read(other)], now())), @r"
    NAMESPACE  NAME       TOPIC     PARTITIONS              RECORDS              SECONDS  WATE…ARK  SEEN
    nnnn…nnnn  oooo…zzzz  tttt…ttt           8  9223372036854775807  9223372036854775807  2026…12Z   40s
    ");
}

#[test]
fn nothing_there_says_where_to_look() {
    insta::assert_snapshot!(screen(&[]), @"namespace library has no StreamIngest and no HourlyCompaction; -A looks in all namespaces");
    insta::assert_snapshot!(lag::render(&[], now()), @"there is no StreamIngest here; -A looks in all namespaces");
}

#[test]
fn status_for_scripts_has_the_verdict() {
    let json = status::json(&[read(stream("books", &held()))]);
    assert_eq!(json[0]["verdict"]["fine"], "no");
    assert_eq!(json[0]["verdict"]["next"][1], "kubectl gristmill resume sti/books -n library");
    assert_eq!(json[0]["status"]["partitions"], 8);
}

#[test]
fn lag_is_told_by_resource_and_by_partition() {
    insta::assert_snapshot!(narrow(lag::render(&[read(stream("books", &good()))], now())), @r"
    NAMESPACE  NAME   TOPIC            PARTITIONS  RECORDS  SECONDS  WATERMARK             SEEN
    library    books  book_data_topic           8    18200       42  2026-11-23T05:09:12Z   40s
    ");
    let partition = |partition, next, end| PartitionReport {
        partition,
        next,
        end,
        complete_through: (partition != 2).then(|| "2026-11-23T05:09:12.500Z".to_owned()),
    };
    let partitions = [partition(0, 100, 100), partition(1, 90, 100), partition(2, 0, 1_000_000)];
    insta::assert_snapshot!(lag::render_partitions(&read(stream("books", &good())), &partitions, now()), @r"
    PARTITION  COMMITTED      END  RECORDS  SECONDS  COMPLETE THROUGH
            2          0  1000000  1000000
            1         90      100       10      287  2026-11-23T05:09:12Z
            0        100      100        0        0  2026-11-23T05:09:12Z
    ");
}

#[test]
fn rejects_of_all_workers_are_one_picture() {
    let books = read(stream("books", &held()));
    let silent = Error::WorkerSilent { pod: "books-ingest-3".to_owned(), why: "connection refused".to_owned() };
    let answers = vec![
        Ok(report("Held", &[("Required", 30), ("NoRows", 10)])),
        Ok(report("Ingesting", &[("NoRows", 2390)])),
        Err(silent),
    ];
    let merged = rejected::merge(books.ingest_status(), None, answers);
    insta::assert_snapshot!(narrow(rejected::render(&books, &merged)), @r"
    sti/books in library
      HELD: it is Held
      12 % of the messages in the window of the budget have rejects
      over the whole log: 1210 messages rejected, 1740 reject records

    REASON    RECORDS  FOR EXAMPLE
    NoRows       2400  book_data_topic/3/1044
    Required       30  book_data_topic/3/1044
    in the window of the budget, as 2 of 3 workers have read it
    the worker in pod books-ingest-3 does not answer: connection refused

    next: gristmill rejected show hdfs://nameservice1/raw_zone/books 3/1044
    then: correct spec.record or the producer, and kubectl gristmill resume sti/books -n library
    ");
}

#[test]
fn rejects_without_a_worker_are_told_from_the_status() {
    let books = read(stream("books", &good()));
    let none = Error::NoWorker {
        name: "books".to_owned(),
        namespace: "library".to_owned(),
        why: "it has no pod; see `kubectl gristmill status sti/books -n library`".to_owned(),
    };
    let merged = rejected::merge(books.ingest_status(), None, vec![Err(none)]);
    insta::assert_snapshot!(narrow(rejected::render(&books, &merged)), @r"
    sti/books in library
      0.2 % of the messages in the window of the budget have rejects
      over the whole log: 1201 messages rejected, 1730 reject records

    no worker of books can be asked in namespace library: it has no pod; see `kubectl gristmill status
    sti/books -n library`
    ");
}

#[test]
fn rewind_that_is_only_asked_about_says_what_it_would_read_again() {
    let moves = vec![
        PartitionMove { partition: 0, stands_at: 1044, goes_to: 20 },
        PartitionMove { partition: 5, stands_at: 50, goes_to: 70 },
    ];
    let plan = RewindReport { total: 4096, read_again: 1024, skipped: 20, moved: 1500, moves };
    insta::assert_snapshot!(narrow(rewind::render(&read(stream("books", &good())), &plan)), @r"
    sti/books in library: 1500 of 4096 partitions would move; 1024 offsets would be read again, 20 would
    be skipped
    PARTITION  FROM    TO  MESSAGES  EFFECT
            0    20  1044      1024  read again
            5    50    70        20  skipped
    and 1498 partitions more
    messages are counted by offsets: there are fewer in a topic that is compacted or has transactions
    nothing was changed
    ");
}
