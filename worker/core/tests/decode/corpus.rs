//! Documents that a fuzzer made: those that led it to new code, and those that were wrong once.

use crate::invariants::check;

#[test]
fn every_document_of_the_corpus_keeps_the_promises() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decode/corpus");
    let mut documents = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&std::fs::read(&path).unwrap());
        documents += 1;
    }
    assert!(documents >= 9, "{folder} holds {documents} documents; were they not checked out?");
}
