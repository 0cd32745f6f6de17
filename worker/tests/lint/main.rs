//! Documents before anything runs: what is refused, with which words, and by which commands.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gristmill::documents::Documents;
use gristmill::lint::{Verdict, lint};
use tempfile::TempDir;

const FULL: &str = include_str!("full.yaml");
const FULL_COMPACTION: &str = include_str!("full-compaction.yaml");

/// Wrong documents: what is wrong, a piece of `full.yaml`, and what stands in its place. The live suite `documents`
/// shows the same ones to an API server.
fn wrong_documents() -> Vec<[String; 3]> {
    serde_json::from_str(include_str!("wrong.json")).expect("a list of three texts each")
}

/// The same of `full-compaction.yaml`.
fn wrong_compactions() -> Vec<[String; 3]> {
    serde_json::from_str(include_str!("wrong-compaction.json")).expect("a list of three texts each")
}

/// A wrong document. Its piece must stand in `full.yaml` exactly once.
fn wrong(piece: &str, other: &str) -> String {
    replaced(FULL, piece, other)
}

fn replaced(full: &str, piece: &str, other: &str) -> String {
    assert_eq!(full.matches(piece).count(), 1, "{piece:?} does not stand exactly once in the full document");
    full.replacen(piece, other, 1)
}

fn written(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a file in a temporary folder");
    path
}

/// The verdict on texts, each a file `file-N.yaml`.
fn verdict(texts: &[&str]) -> Verdict {
    let folder = TempDir::new().expect("a temporary folder");
    let paths: Vec<PathBuf> =
        texts.iter().enumerate().map(|(index, text)| written(&folder, &format!("file-{index}.yaml"), text)).collect();
    let (documents, unreadable) = Documents::survey(&paths);
    let mut verdict = lint(&documents, unreadable);
    for refusal in &mut verdict.refusals {
        *refusal = refusal.replace(&format!("{}/", folder.path().display()), "");
    }
    verdict
}

fn gristmill(arguments: &[&str], document: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .args(arguments)
        .arg("-f")
        .arg(document)
        .env_remove("GRISTMILL_MEMORY")
        .output()
        .expect("the binary runs")
}

#[test]
fn the_full_document_is_valid() {
    insta::assert_snapshot!(verdict(&[FULL]).summaries.join("\n"), @"ok StreamIngest books: 9 columns; at most 288 files a day and worker by age; group gristmill.library.books.5f2bcb1f; needs Secret books-kafka, Secret books-kafka-sasl, Secret books-keytab, ConfigMap hadoop-conf, ConfigMap kafka-ca, ConfigMap krb5");
}

#[test]
fn the_full_compaction_is_valid() {
    let summaries = verdict(&[FULL, FULL_COMPACTION]).summaries;
    insta::assert_snapshot!(summaries[1], @"ok HourlyCompaction books-by-year: from hdfs://nameservice1/raw_zone/books; key record_id; needs ConfigMap hadoop-conf");
}

/// What is said of each wrong document, shown together with others that are valid.
fn refusals(wrong: &[[String; 3]], full: &str, others: &[&str]) -> String {
    let mut table = String::new();
    for [what, piece, other] in wrong {
        let document = replaced(full, piece, other);
        let Verdict { summaries, refusals } = verdict(&[others, &[&document]].concat());
        let [refusal] = refusals.as_slice() else { panic!("{what}: {summaries:?} {refusals:?}") };
        writeln!(table, "{what}\n  {}\n", refusal.replace('\n', "\n  ")).expect("a String takes every write");
    }
    assert!(wrong.len() >= 40);
    table
}

#[test]
fn every_wrong_document_is_refused_by_field_and_with_what_to_write() {
    insta::assert_snapshot!("wrong", refusals(&wrong_documents(), FULL, &[]));
}

#[test]
fn every_wrong_compaction_is_refused_by_field_and_with_what_to_write() {
    insta::assert_snapshot!("wrong_compaction", refusals(&wrong_compactions(), FULL_COMPACTION, &[FULL]));
}

#[test]
fn lint_and_ingest_print_the_same_refusal_and_exit_with_2() {
    let folder = TempDir::new().expect("a temporary folder");
    for [what, piece, other] in wrong_documents() {
        let path = written(&folder, "books.yaml", &wrong(&piece, &other));
        let linted = gristmill(&["lint"], &path);
        let ingested = gristmill(&["ingest", "--attach", "--until-caught-up"], &path);
        let text = String::from_utf8_lossy(&linted.stderr).into_owned();
        assert_eq!(text, String::from_utf8_lossy(&ingested.stderr), "{what}");
        assert!(text.starts_with("gristmill: ") && text.len() > 40, "{what}: {text}");
        assert_eq!((linted.status.code(), ingested.status.code()), (Some(2), Some(2)), "{what}");
    }
}

#[test]
fn lint_and_compact_print_the_same_refusal_and_exit_with_2() {
    let folder = TempDir::new().expect("a temporary folder");
    for [what, piece, other] in wrong_compactions() {
        let document = replaced(FULL_COMPACTION, &piece, &other);
        let path = written(&folder, "books.yaml", &format!("{FULL}---\n{document}"));
        let linted = gristmill(&["lint"], &path);
        let compacted = gristmill(&["compact"], &path);
        let text = String::from_utf8_lossy(&linted.stderr).into_owned();
        assert_eq!(text, String::from_utf8_lossy(&compacted.stderr), "{what}");
        assert!(text.starts_with("gristmill: ") && text.len() > 40, "{what}: {text}");
        assert_eq!((linted.status.code(), compacted.status.code()), (Some(2), Some(2)), "{what}");
    }
}

#[test]
fn lint_prints_summaries_of_what_is_valid_and_refusals_of_the_rest() {
    let folder = TempDir::new().expect("a temporary folder");
    let path =
        written(&folder, "books.yaml", &format!("{FULL}---\n{}", wrong("compression: Zstd", "compression: gzip")));
    let output = gristmill(&["lint"], &path);
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stdout.starts_with("ok StreamIngest books: ") && stdout.lines().count() == 1, "{stdout}");
    assert!(stderr.contains("spec.raw.compression: \"gzip\" is none of its values"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_quickstart_is_valid_with_a_word_about_its_many_files() {
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart/books.yaml");
    let output = gristmill(&["lint"], Path::new(quickstart));
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(String::from_utf8(output.stdout).expect("UTF-8"), @"
    ok StreamIngest books: 8 columns; at most 8640 files a day and worker by age; group gristmill.library.books.8dc2f9ee
      warning: spec.raw.files.maxAge: closes up to 8640 files a day and worker; 5m, the default, is 288
    ok HourlyCompaction books: from hdfs://namenode.library.svc:8020/raw_zone/books; key record_id
    ");
}

/// A row would take what another parent has.
#[test]
fn path_through_a_parent_of_the_rows_is_warned_of() {
    let quickstart = include_str!("../../../manifests/quickstart/books.yaml");
    let warned = |path: &str| {
        let text = quickstart
            .replace("rowPath: /library/book", "rowPath: /library/shelf/book")
            .replace("/library/@region", path)
            .replace("files: {maxAge: 10s}", "files: {maxAge: 5m}");
        verdict(&[&text]).summaries[0].split_once("\n  warning: ").map(|(_, warning)| warning.to_owned())
    };
    assert_eq!(warned("/library/@region"), None);
    assert_eq!(warned("/library/address/town"), None);
    insta::assert_snapshot!(warned("/library/shelf/@room").expect("it is one of several"), @"spec.record.columns[4].path: leads through /library/shelf, in which the rows stand too; where a message has several of it, a row does not take what its own one has, but what any has: send one in a message, or have the value in the row");
}

#[test]
fn schedule_that_never_starts_is_warned_of() {
    let quickstart = include_str!("../../../manifests/quickstart/books.yaml");
    let warned = |schedule: &str| {
        let summaries = verdict(&[&quickstart.replace("\"5 * * * *\"", &format!("{schedule:?}"))]).summaries;
        summaries[1].split_once("\n  warning: ").map(|(_, warning)| warning.to_owned())
    };
    assert_eq!(warned("0 0 29 2 *"), None);
    assert_eq!(
        warned("0 0 31 2 *").as_deref(),
        Some("spec.schedule: \"0 0 31 2 *\" never starts a run: no such day comes; correct day or month")
    );
}

/// A first run may fail, and who is not registered holds nothing.
#[test]
fn retention_that_is_shorter_than_two_gaps_of_the_schedule_is_warned_of() {
    let quickstart = include_str!("../../../manifests/quickstart/books.yaml");
    let warned = |after: &str, schedule: &str| {
        let text = quickstart
            .replace("files: {maxAge: 10s}", &format!("retention: {{after: {after}, action: Delete}}"))
            .replace("\"5 * * * *\"", &format!("{schedule:?}"));
        let summaries = verdict(&[&text]).summaries;
        summaries[1].split_once("\n  warning: ").map(|(_, warning)| warning.to_owned())
    };
    assert_eq!(warned("2h", "5 * * * *"), None);
    assert_eq!(warned("6d", "0 8 * * MON-FRI"), None);
    insta::assert_snapshot!(warned("119m", "5 * * * *").expect("it is too short"), @"spec.schedule: has up to 1h between two starts, and spec.raw.retention.after of StreamIngest books is 119m: rows may leave before a first run has registered; write at least 2h there");
    insta::assert_snapshot!(warned("5d", "0 8 * * MON-FRI").expect("it is too short"), @"spec.schedule: has up to 72h between two starts, and spec.raw.retention.after of StreamIngest books is 120h: rows may leave before a first run has registered; write at least 144h there");
}

/// Of the defaults each fits the other; a smaller pod works until a message as long as allowed comes.
#[test]
fn memory_that_does_not_hold_a_message_at_the_limit_is_warned_of_with_what_does() {
    let quickstart = include_str!("../../../manifests/quickstart/books.yaml");
    let warned = |memory: &str, message: &str| {
        let text = quickstart
            .replace("files: {maxAge: 10s}", "")
            .replace("  hadoop:", &format!("  pod: {{memory: {memory}}}\n  hadoop:"))
            .replace("    rowPath:", &format!("    limits: {{maxMessageSize: {message}}}\n    rowPath:"));
        let Verdict { summaries, refusals } = verdict(&[&text]);
        assert_eq!(refusals, Vec::<String>::new());
        summaries[0].split_once("\n  warning: ").map(|(_, warning)| warning.to_owned())
    };
    for (memory, message) in [("256Mi", "16Mi"), ("128Mi", "5Mi"), ("1Gi", "64Mi")] {
        assert_eq!(warned(memory, message), None);
    }
    insta::assert_snapshot!(warned("128Mi", "16Mi").expect("it is small"), @"spec.pod.memory: is 128Mi, and one message of 16Mi (record.limits.maxMessageSize) may take more: the process would be killed; write at least 256Mi, or lower maxMessageSize to 5Mi");
}

#[test]
fn secrets_and_config_maps_may_stand_beside_the_resources() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: sasl}\nstringData: {password: secret}\ndata: {other: aGVsbG8=}\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca}\ndata: {ca.crt: text}\n";
    let documents = Documents::parse(Path::new("books.yaml"), text).expect("both are read");
    let [secret] = documents.secrets.as_slice() else { panic!("one Secret") };
    assert_eq!(secret.name, "sasl");
    assert_eq!(
        (secret.values["password"].as_slice(), secret.values["other"].as_slice()),
        (&b"secret"[..], &b"hello"[..])
    );
    assert_eq!(documents.config_maps[0].values["ca.crt"], b"text");
    assert!(!format!("{documents:?}").contains("hello"));
}

#[test]
fn a_compaction_without_its_stream_ingest_is_refused() {
    let compaction = "apiVersion: gristmill.dev/v1alpha1\nkind: HourlyCompaction\nmetadata: {name: books}\nspec:\n  \
        ingestRef: {name: books}\n  processed: {path: \"hdfs://nn:8020/p\", partitionBy: [{column: title, transform: Identity}]}\n  \
        deduplication: {key: [record_id]}\n";
    assert_eq!(
        verdict(&[compaction]).refusals,
        ["spec.ingestRef.name: no StreamIngest \"books\" in the files; add its document with -f"]
    );
}

#[test]
fn a_stream_ingest_that_is_refused_is_not_called_missing() {
    let quickstart = include_str!("../../../manifests/quickstart/books.yaml");
    let refusals = verdict(&[&quickstart.replace("type: Int32", "type: Integer")]).refusals;
    let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
    assert!(refusal.contains("Integer"), "{refusal}");
}

#[test]
fn one_name_twice_is_refused() {
    let refusals = verdict(&[FULL, FULL]).refusals;
    assert_eq!(refusals, ["StreamIngest books stands in the files twice; rename or remove one"]);
}

#[test]
fn other_kinds_and_texts_that_are_not_yaml_are_refused() {
    let refusals = verdict(&["kind: Pod\napiVersion: v1\n", "a: [\n", ""]).refusals;
    assert!(
        refusals[0].contains("document 1 of file-0.yaml is a Pod of \"v1\"; expected kind StreamIngest"),
        "{refusals:?}"
    );
    assert!(refusals[1].starts_with("file-1.yaml is not YAML: "), "{refusals:?}");
    assert_eq!(
        verdict(&[""]).refusals,
        ["the files hold no StreamIngest and no HourlyCompaction; name a file that does with -f"]
    );
}
