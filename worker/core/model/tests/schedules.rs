//! The protocol's table of schedules names tests that exist.

use std::path::Path;

/// A row: schedule, test, file.
fn rows(page: &str) -> Vec<[&str; 3]> {
    let table = page.split("## Where each schedule is tested").nth(1).unwrap_or_default();
    let rows = table.lines().filter_map(|line| match line.split('|').map(str::trim).collect::<Vec<_>>()[..] {
        ["", schedule, test, file, ""] if schedule.parse::<u8>().is_ok() => Some([schedule, test, file]),
        _ => None,
    });
    rows.collect()
}

#[test]
fn every_test_that_the_protocol_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let page = std::fs::read_to_string(root.join("docs/zone-protocol.md")).expect("the protocol is part of the tree");
    let rows = rows(&page);
    assert!(rows.len() > 30, "the table has only {} rows", rows.len());
    for [schedule, test, file] in rows {
        let name = test.trim_matches('`');
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let is_there = [format!("fn {name}("), format!("def {name}("), format!("name: \"{name}\"")];
        assert!(
            is_there.iter().any(|definition| source.contains(definition.as_str())),
            "schedule {schedule}: {file} has no {name}; correct the table at the end of docs/zone-protocol.md"
        );
    }
}
