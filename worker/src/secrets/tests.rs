use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::*;

const FIELD: &str = "spec.source.kafka.security.sasl.passwordSecretKeyRef";

fn password() -> Reference<'static> {
    Reference::secret(FIELD, "books-kafka", "password")
}

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
}

/// A folder with one value, as a pod has it mounted.
fn mounted(key: &str, value: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("books-kafka")).expect("the folder is ours");
    std::fs::write(folder.path().join("books-kafka").join(key), value).expect("the folder is ours");
    folder
}

#[test]
fn a_document_counts_before_the_folder() {
    let folder = mounted("password", "mounted");
    let secrets = Secrets::new(Some(folder.path().to_owned()));
    assert_eq!(secrets.text(password()).expect("it is there"), "mounted");
    let secrets = secrets.with_document(Holder::Secret, "books-kafka", values(&[("password", "given")]));
    assert_eq!(secrets.text(password()).expect("it is there"), "given");
}

#[test]
fn a_config_map_of_the_same_name_is_another_object() {
    let secrets = Secrets::default().with_document(Holder::ConfigMap, "books-kafka", values(&[("password", "no")]));
    assert!(matches!(secrets.text(password()), Err(Error::NotGiven { .. })));
}

#[test]
fn a_rotated_file_is_seen() {
    let folder = mounted("password", "old");
    let secrets = Secrets::new(Some(folder.path().to_owned()));
    assert_eq!(secrets.text(password()).expect("it is there"), "old");
    std::fs::write(folder.path().join("books-kafka/password"), "new").expect("the folder is ours");
    assert_eq!(secrets.text(password()).expect("it is there"), "new");
}

#[rstest::rstest]
#[case("secret\n", "secret")]
#[case("secret\r\n", "secret")]
#[case("two words ", "two words ")]
#[case("line\n\n", "line\n")]
fn only_the_line_break_at_the_end_is_no_part_of_a_text(#[case] file: &str, #[case] text: &str) {
    let folder = mounted("password", file);
    assert_eq!(Secrets::new(Some(folder.path().to_owned())).text(password()).expect("it is there"), text);
}

#[test]
fn a_missing_value_is_told_with_its_name_its_key_and_the_next_act() {
    let without = Secrets::default();
    assert_snapshot!(without.text(password()).expect_err("nothing is given"), @r#"spec.source.kafka.security.sasl.passwordSecretKeyRef: Secret "books-kafka" is not given; add its document to a -f file, or write its key "password" to the file DIR/books-kafka/password and name --secrets-dir DIR"#);
    let folder = Secrets::new(Some("/run/none".into()));
    assert_snapshot!(folder.text(password()).expect_err("it is not there"), @r#"spec.source.kafka.security.sasl.passwordSecretKeyRef: there is no file /run/none/books-kafka/password for key "password" of Secret "books-kafka"; write it, or add the document of the Secret to a -f file"#);
    let document = without.with_document(Holder::Secret, "books-kafka", values(&[("user", "a"), ("word", "b")]));
    assert_snapshot!(document.text(password()).expect_err("it has no such key"), @r#"spec.source.kafka.security.sasl.passwordSecretKeyRef: Secret "books-kafka" in the -f files has no key "password", only user, word; add the key or correct the reference"#);
}

#[test]
fn no_error_and_no_debug_output_holds_a_value() {
    let secrets = Secrets::default().with_document(Holder::Secret, "books-kafka", values(&[("password", "hunter2\0")]));
    let error = secrets.text(password()).expect_err("a NUL");
    let pem = secrets.pem(password()).expect_err("a NUL");
    for text in [format!("{secrets:?}"), error.to_string(), format!("{error:?}"), pem.to_string()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_name_does_not_lead_out_of_the_folder() {
    let folder = mounted("password", "secret");
    let secrets = Secrets::new(Some(folder.path().join("books-kafka")));
    let escape = Reference::secret(FIELD, "..", "password");
    assert!(matches!(secrets.bytes(escape), Err(Error::Unfit { .. })));
}

#[test]
fn a_file_of_a_document_is_private_and_goes_with_the_resolver() {
    let secrets = Secrets::default().with_document(Holder::Secret, "books-kafka", values(&[("password", "secret")]));
    let file = secrets.file(password()).expect("it is written");
    assert_eq!(std::fs::read(&file).expect("it is there"), b"secret");
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    drop(secrets);
    assert!(!file.exists());
}

#[test]
fn a_folder_has_the_keys_that_the_config_map_has() {
    let keys = ["core-site.xml", "hdfs-site.xml"];
    let given = Secrets::default().with_document(Holder::ConfigMap, "hadoop", values(&[("hdfs-site.xml", "<x/>")]));
    let folder = given.folder("spec.hadoop.configMapRef", Holder::ConfigMap, "hadoop", &keys).expect("it has one");
    assert!(folder.join("hdfs-site.xml").exists() && !folder.join("core-site.xml").exists());
    let empty = Secrets::default().with_document(Holder::ConfigMap, "hadoop", values(&[]));
    let error = empty.folder("spec.hadoop.configMapRef", Holder::ConfigMap, "hadoop", &keys).expect_err("it has none");
    assert!(error.to_string().contains("core-site.xml"), "{error}");
}
