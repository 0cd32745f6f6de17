//! What an inspection says of a fold, and the figures of a run.

use super::super::*;
use super::{file, processed_entry, processed_fold, range, raw_data, raw_entry, raw_fold, run};

#[test]
fn inspection_of_a_raw_zone_has_the_keys_of_the_command() {
    let mut fold = raw_fold();
    let counted = PartitionRange { accepted: 95, rejected: 2, tombstones: 1, absent: 2, ..range(0, 100, 200) };
    let added = vec![file(FileZone::Raw, 1), file(FileZone::Rejected, 2)];
    fold.apply(&raw_entry(2, raw_data(vec![counted], added))).expect("valid");
    insta::assert_json_snapshot!(inspect(&fold), @r#"
    {
      "zone": "5f0c0000-0000-4000-8000-000000000001",
      "kind": "Raw",
      "head_sequence": 1,
      "messages": 98,
      "accepted_messages": 95,
      "rejected_messages": 2,
      "tombstones": 1,
      "absent": 2,
      "gaps": 0,
      "rows": 10,
      "rejected_rows": 10,
      "files": 1,
      "rejected_files": 1,
      "bytes": 2000,
      "offsets": {
        "books": {
          "0": {
            "generation": 0,
            "next": 200
          }
        }
      },
      "consumers": [],
      "held": null
    }
    "#);
}

#[test]
fn inspection_of_a_processed_zone_has_the_keys_of_the_command() {
    let mut fold = processed_fold();
    fold.apply(&processed_entry(2, run(-1, 4, vec![file(FileZone::Processed, 1)], vec![]))).expect("valid");
    insta::assert_json_snapshot!(inspect(&fold), @r#"
    {
      "zone": "5f0c0000-0000-4000-8000-000000000001",
      "kind": "Processed",
      "head_sequence": 1,
      "source_zone": "00000000-0000-0000-0000-000000000002",
      "positions": {
        "0": 4
      },
      "processed_through": null,
      "rows": 10,
      "files": 1,
      "bytes": 1000,
      "rejected_rows": 0,
      "rejected_files": 0,
      "runs": [
        {
          "sequence": 1,
          "start_time": "2026-11-23T06:05:00.000Z",
          "completion_time": "2026-11-23T06:05:00.000Z",
          "kind": "Increment",
          "rows": {
            "read": 12,
            "duplicate_in_delta": 1,
            "duplicate_in_zone": 1,
            "written": 10,
            "late": 0,
            "rejected": 0
          },
          "files": {
            "before": 0,
            "after": 1,
            "bytes_before": 0,
            "bytes_after": 0
          },
          "late_before": null,
          "through": null,
          "buckets": null,
          "cost": null
        }
      ]
    }
    "#);
}

#[test]
fn rate_of_a_run_is_the_bytes_of_its_delta_by_cpu_time() {
    let cost = |cpu_milliseconds| RunCost { delta_bytes: 3_000, cpu_milliseconds, peak_memory: 0 };
    assert_eq!(cost(1500).bytes_per_core_second(), Some(2_000));
    assert_eq!(cost(0).bytes_per_core_second(), None);
}
