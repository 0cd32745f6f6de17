//! Secrets in client mode: documents in the files, else files of a folder; and never a word of them in the output.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::{output, stderr, stdout, text};

const PASSWORD: &str = "correct-horse-battery-staple";

/// The quickstart with SCRAM; its broker is away.
fn document(folder: &Path) -> PathBuf {
    let quickstart = include_str!("../../../manifests/quickstart/books.yaml");
    let security = "127.0.0.1:1\n      security: {sasl: {mechanism: ScramSha512, username: books, \
                    passwordSecretKeyRef: {name: books-sasl, key: password}}}";
    let path = folder.join("books.yaml");
    std::fs::write(&path, quickstart.replace("kafka.library.svc:9092", security)).unwrap();
    path
}

fn ingest(folder: &Path, more: &[&str]) -> Output {
    let document = document(folder);
    let local = folder.join("local");
    let arguments = ["ingest", "-f", text(&document), "--local", text(&local), "--until-caught-up", "--wait", "1s"];
    output(&[&arguments[..], more].concat())
}

fn assert_silent(output: &Output) {
    assert!(!stderr(output).contains(PASSWORD) && !stdout(output).contains(PASSWORD), "{}", stderr(output));
}

#[test]
fn missing_secret_is_2_and_told_with_its_key_and_the_next_act() {
    let folder = tempfile::tempdir().unwrap();
    let output = ingest(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    insta::assert_snapshot!(stderr(&output).lines().last().unwrap_or_default(), @r#"gristmill: spec.source.kafka.security.sasl.passwordSecretKeyRef: Secret "books-sasl" is not given; add its document to a -f file, or write its key "password" to the file DIR/books-sasl/password and name --secrets-dir DIR"#);
}

#[test]
fn secret_of_a_folder_is_used_and_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    std::fs::create_dir_all(secrets.join("books-sasl")).unwrap();
    std::fs::write(secrets.join("books-sasl/password"), PASSWORD).unwrap();
    let output = ingest(folder.path(), &["--secrets-dir", text(&secrets)]);
    // It got as far as the brokers.
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_silent(&output);
}

#[test]
fn secret_document_beside_the_resource_is_used_and_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.yaml");
    let secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: books-sasl}}\nstringData: {{password: {PASSWORD}}}\n");
    std::fs::write(&file, secret).unwrap();
    let output = ingest(folder.path(), &["-f", text(&file)]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_silent(&output);
}
