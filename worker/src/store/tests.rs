//! One suite for every store: what the protocol takes for granted of each.
//!
//! HDFS takes part where `GRISTMILL_TEST_HDFS_URL` names a directory of a running one, for example
//! `hdfs://127.0.0.1:8020/tmp`.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use rstest::rstest;

use super::{
    FileStore, HadoopAccess, HdfsStore, Kerberos, ListedKind, MemoryStore, Store, StoreErrorKind, StorePath, ZoneUrl,
};

/// A store to test, with a directory in it that does not exist yet.
struct Place {
    store: Arc<dyn Store>,
    directory: StorePath,
    _kept: Option<tempfile::TempDir>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Memory,
    File,
    Hdfs,
}

#[tokio::test]
async fn folder_that_cannot_be_made_is_no_matter_of_hard_links() {
    let kept = tempfile::tempdir().expect("a temporary directory");
    let file = kept.path().join("file");
    std::fs::write(&file, "").expect("there is room");
    let url: ZoneUrl = format!("file://{}/raw", file.display()).parse().expect("a URL");
    let refused = FileStore::default().prove_exclusive_rename(url.directory()).await.expect_err("a file is in the way");
    let told = refused.to_string();
    assert!(told.ends_with("; choose a folder that can be made") && !told.contains("hard links"), "{told}");
}

#[test]
fn name_service_without_a_configuration_is_named() {
    let url: ZoneUrl = "hdfs://nameservice1/raw".parse().expect("a URL");
    let access = HadoopAccess { configuration: Some("/etc/no-such-folder".into()), ..HadoopAccess::default() };
    let error = HdfsStore::connect(&url, &access).err().expect("there is no such name service").to_string();
    let told = "nameservice1 has no port and is no nameservice of the Hadoop configuration in /etc/no-such-folder; ";
    assert!(error.contains(told) && error.contains("HADOOP_CONF_DIR"), "{error}");
}

#[test]
fn what_the_client_says_of_a_login_is_not_put_down_to_the_name_service() {
    let url: ZoneUrl = "hdfs://nameservice1/raw".parse().expect("a URL");
    let kerberos = Kerberos { principal: String::new(), keytab: "/etc/books.keytab".into() };
    let access = HadoopAccess { kerberos: Some(kerberos), ..HadoopAccess::default() };
    let error = HdfsStore::connect(&url, &access).err().expect("there is no principal").to_string();
    assert!(error.contains("principal must not be empty") && !error.contains("nameservice of"), "{error}");
}

/// `None` for a store that is not there, which the output says.
fn place(kind: Kind) -> Option<Place> {
    let unique = uuid::Uuid::new_v4();
    match kind {
        Kind::Memory => {
            let url: ZoneUrl = "hdfs://memory:8020/zones".parse().expect("a URL");
            let directory = url.directory().join(&unique.to_string());
            Some(Place { store: Arc::new(MemoryStore::new()), directory, _kept: None })
        }
        Kind::File => {
            let kept = tempfile::tempdir().expect("a temporary directory");
            let url: ZoneUrl = format!("file://{}", kept.path().display()).parse().expect("a URL");
            Some(Place {
                store: Arc::new(FileStore::default()),
                directory: url.directory().join("zones"),
                _kept: Some(kept),
            })
        }
        Kind::Hdfs => {
            let Ok(url) = std::env::var("GRISTMILL_TEST_HDFS_URL") else {
                use std::io::Write as _;
                // Skipped tests look like passed ones otherwise.
                writeln!(std::io::stderr(), "hdfs: skipped, GRISTMILL_TEST_HDFS_URL is not set").expect("stderr");
                return None;
            };
            let url: ZoneUrl = url.parse().expect("GRISTMILL_TEST_HDFS_URL is the URL of a directory");
            let store = super::open(&url, &super::HadoopAccess::default()).expect("a client");
            Some(Place { store, directory: url.directory().join(&unique.to_string()), _kept: None })
        }
    }
}

impl Place {
    fn path(&self, name: &str) -> StorePath {
        self.directory.join(name)
    }

    async fn write(&self, name: &str, content: &'static str) -> StorePath {
        let path = self.path(name);
        let mut file = self.store.create(&path).await.expect("created");
        // In two pieces: a writer streams.
        let (head, tail) = content.split_at(content.len() / 2);
        file.write(Bytes::from_static(head.as_bytes())).await.expect("written");
        file.write(Bytes::from_static(tail.as_bytes())).await.expect("written");
        file.close().await.expect("closed");
        path
    }

    async fn kind_of<T>(&self, result: Result<T, super::StoreError>) -> StoreErrorKind {
        match result {
            Err(error) => error.kind,
            Ok(_) => panic!("it succeeded"),
        }
    }
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn a_closed_file_has_the_bytes_that_were_written(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    let path = place.write("a/b/file", "0123456789").await;
    assert_eq!(place.store.length(&path).await, Ok(Some(10)));
    assert_eq!(place.store.read(&path).await, Ok(Bytes::from_static(b"0123456789")));
    assert_eq!(place.store.read_range(&path, 3..7).await, Ok(Bytes::from_static(b"3456")));
    assert_eq!(place.store.read_range(&path, 4..4).await, Ok(Bytes::new()));
    assert!(place.store.read_range(&path, 8..11).await.is_err());
    let empty = place.write("empty", "").await;
    assert_eq!(place.store.length(&empty).await, Ok(Some(0)));
    assert_eq!(place.store.read(&empty).await, Ok(Bytes::new()));
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn a_rename_never_overwrites(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    let (first, second) = (place.write("first", "first").await, place.write("second", "second").await);
    let target = place.path("target");
    place.store.rename(&first, &target).await.expect("the first wins");
    assert_eq!(place.kind_of(place.store.rename(&second, &target).await).await, StoreErrorKind::AlreadyExists);
    assert_eq!(place.store.read(&target).await, Ok(Bytes::from_static(b"first")));
    assert_eq!(place.store.length(&second).await, Ok(Some(6)));
    assert_eq!(place.store.length(&first).await, Ok(None));
    // What a client sees that sends its own successful rename again.
    assert_eq!(place.kind_of(place.store.rename(&first, &place.path("other")).await).await, StoreErrorKind::NotFound);
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn of_many_renames_to_one_name_one_wins(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    let mut sources = Vec::new();
    for number in 0..8 {
        sources.push(place.write(&format!("racers/{number}"), "racer").await);
    }
    let target = place.path("target");
    let outcomes = join_all(sources.iter().map(|source| place.store.rename(source, &target))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    for outcome in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(outcome.kind, StoreErrorKind::AlreadyExists, "{outcome}");
    }
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn a_missing_directory_of_the_new_name_looks_like_a_missing_file(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    let source = place.write("source", "x").await;
    let target = place.path("hour/target");
    assert_eq!(place.kind_of(place.store.rename(&source, &target).await).await, StoreErrorKind::NotFound);
    place.store.create_directories(&target.parent()).await.expect("made");
    place.store.create_directories(&target.parent()).await.expect("made again");
    place.store.rename(&source, &target).await.expect("renamed");
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn a_second_create_of_one_name_fails(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    let path = place.write("file", "first").await;
    let again = place.store.create(&path).await.map(drop);
    assert_eq!(place.kind_of(again).await, StoreErrorKind::AlreadyExists);
    assert_eq!(place.store.read(&path).await, Ok(Bytes::from_static(b"first")));
    place.store.prove_exclusive_rename(&place.path("scratch")).await.expect("proven");
    assert_eq!(place.store.list(&place.path("scratch")).await, Ok(Vec::new()));
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn a_listing_names_what_is_directly_in_a_directory(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    assert_eq!(place.store.list(&place.path("absent")).await, Ok(Vec::new()));
    place.write("file", "abc").await;
    place.write("directory/inner", "x").await;
    let mut listed = place.store.list(&place.directory).await.expect("listed");
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> = listed.iter().map(|element| (element.name.as_str(), element.kind)).collect();
    assert_eq!(found, [("directory", ListedKind::Directory), ("file", ListedKind::File(3))]);
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn what_is_absent_is_said_to_be(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    let path = place.path("absent");
    assert_eq!(place.store.length(&path).await, Ok(None));
    assert_eq!(place.kind_of(place.store.read(&path).await).await, StoreErrorKind::NotFound);
    assert_eq!(place.kind_of(place.store.read_range(&path, 0..1).await).await, StoreErrorKind::NotFound);
    place.store.delete(&path).await.expect("nothing to delete is no error");
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::File)]
#[case(Kind::Hdfs)]
#[tokio::test]
async fn only_files_and_empty_directories_are_deleted(#[case] kind: Kind) {
    let Some(place) = place(kind) else { return };
    let path = place.write("directory/file", "x").await;
    assert!(place.store.delete(&path.parent()).await.is_err());
    place.store.delete(&path).await.expect("deleted");
    assert_eq!(place.store.length(&path).await, Ok(None));
    place.store.delete(&path.parent()).await.expect("deleted");
    assert_eq!(place.store.list(&place.directory).await, Ok(Vec::new()));
}

#[tokio::test]
async fn an_address_without_a_name_node_is_unavailable() {
    let url: ZoneUrl = "hdfs://127.0.0.1:1/zone".parse().expect("a URL");
    let store = super::open(&url, &super::HadoopAccess::as_user("gristmill")).expect("a client");
    let error = store.length(url.directory()).await.expect_err("nothing listens there");
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
}

#[rstest]
#[case("file:///data/raw/books/", "file:///data/raw/books", "file:///data/raw/books_rejected")]
#[case("hdfs://nameservice1/raw/books", "hdfs://nameservice1/raw/books", "hdfs://nameservice1/raw/books_rejected")]
#[case("hdfs://namenode:8020/raw", "hdfs://namenode:8020/raw", "hdfs://namenode:8020/raw_rejected")]
fn a_zone_url_loses_its_trailing_slash_and_has_a_sibling(
    #[case] text: &str,
    #[case] url: &str,
    #[case] rejected: &str,
) {
    let parsed: ZoneUrl = text.parse().expect("a zone URL");
    assert_eq!(parsed.to_string(), url);
    assert_eq!(parsed.rejected().to_string(), rejected);
}

#[rstest]
#[case("/data/raw", "it begins with neither file:// nor hdfs://")]
#[case("file://host/raw", "a file URL has no host")]
#[case("hdfs:///raw", "it has no host")]
#[case("hdfs://namenode:8020", "it has no directory")]
#[case("file:///", "its directory is empty")]
#[case("file:///raw/../other", "its directory is empty or has `//`, `.` or `..` in it")]
fn what_is_no_zone_url_is_refused_with_the_reason(#[case] text: &str, #[case] reason: &str) {
    let error = text.parse::<ZoneUrl>().expect_err("it is refused").to_string();
    assert!(error.contains(reason), "{error}");
}
