//! What the resource says of directories, files and winners.

use gristmill_crds::processed::{PartitionField, ProcessedFiles};
use gristmill_crds::{Compression, HourlyCompaction, Keep, PartitionTransform, StreamIngest};

use crate::books::{Book, book};
use crate::warehouse::{Warehouse, counts};

fn edited(change: impl FnOnce(&mut StreamIngest, &mut HourlyCompaction)) -> Warehouse {
    Warehouse::in_memory().edited(change)
}

fn files() -> ProcessedFiles {
    ProcessedFiles { target_size: None, merge_below: None, max_records: None }
}

#[tokio::test]
async fn earliest_row_stays_if_the_resource_says_so() {
    let warehouse = edited(|_, compaction| compaction.spec.deduplication.keep = Some(Keep::Earliest));
    warehouse.ingest([book("a").titled("second").rated(2.0).at(0), book("a").titled("first").rated(1.0).at(1)]).await;
    warehouse.compact().await;
    warehouse.ingest([book("a").titled("third").rated(3.0).at(2)]).await;
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await, ["a first 2020"]);
}

#[tokio::test]
async fn rows_are_sorted_as_the_resource_says() {
    let warehouse = edited(|_, compaction| compaction.spec.processed.sort_by = vec!["title".into()]).spilling();
    let row = |number: i64| book(&format!("{number:05}")).titled(&format!("{:02}", number * 7 % 10)).at(number);
    warehouse.ingest((0..2000).map(row)).await;
    warehouse.compact().await;
    let found = warehouse.books_in(&warehouse.listed_files().await[0]).await;
    assert_eq!(found.len(), 2000);
    assert!(found.is_sorted_by_key(|book| (book.title.clone(), book.id.clone())));
}

#[tokio::test]
async fn no_file_has_more_rows_than_the_resource_allows() {
    let warehouse = edited(|_, compaction| {
        compaction.spec.processed.files = Some(ProcessedFiles { max_records: Some(700), ..files() })
    });
    warehouse.ingest((0..3000).map(|number| book(&number.to_string()).at(number))).await;
    warehouse.compact().await;
    let mut rows = Vec::new();
    for file in warehouse.listed_files().await {
        rows.push(warehouse.books_in(&file).await.len());
    }
    rows.sort_unstable();
    assert_eq!(rows, [200, 700, 700, 700, 700]);
    assert_eq!(warehouse.rows().await.len(), 3000);
}

#[tokio::test]
async fn small_files_are_put_together_when_there_are_four() {
    let warehouse = Warehouse::in_memory();
    let mut counted = Vec::new();
    for run in 0..6 {
        warehouse
            .ingest([book(&format!("{run}")).at(run), book(&format!("{run} of 2021")).of(2021).at(100 + run)])
            .await;
        warehouse.compact().await;
        counted.push(warehouse.listed_files().await.len());
    }
    assert_eq!(counted, [2, 4, 6, 2, 4, 6]);
    assert_eq!(warehouse.rows().await.len(), 12);
}

#[tokio::test]
async fn no_file_has_keys_of_two_buckets_and_keys_stay_unique() {
    let warehouse = edited(|_, compaction| compaction.spec.processed.buckets = Some(4));
    let all = |title: &'static str, first: i64| {
        (0..200).map(move |number: i64| book(&number.to_string()).titled(title).at(first + number))
    };
    warehouse.ingest(all("old", 0)).await;
    warehouse.compact().await;
    assert_eq!(warehouse.listed_files().await.len(), 4);
    warehouse.ingest(all("new", 200)).await;
    let report = warehouse.compact().await;
    assert_eq!(counts(&report), [200, 0, 0, 200]);
    assert_eq!(warehouse.listed_files().await.len(), 4);
    let rows = warehouse.rows().await;
    assert!(rows.len() == 200 && rows.iter().all(|row| row.contains(" new ")), "{rows:?}");
}

#[tokio::test]
async fn files_are_compressed_as_the_resource_says() {
    let mut sizes = Vec::new();
    for compression in [Compression::Zstd, Compression::Uncompressed] {
        let warehouse = edited(|_, compaction| compaction.spec.processed.compression = Some(compression));
        warehouse.ingest((0..5000).map(|number| book(&number.to_string()).at(number))).await;
        warehouse.compact().await;
        let file = &warehouse.listed_files().await[0];
        sizes.push(warehouse.store.length(file).await.unwrap().unwrap());
    }
    assert!(sizes[0] < sizes[1], "{sizes:?}");
}

#[tokio::test]
async fn month_of_a_timestamp_names_the_directory_and_the_column_stays_in_the_file() {
    let warehouse = edited(|ingest, compaction| {
        let mut column = ingest.spec.record.columns[0].clone();
        column.name = "seen_at".into();
        column.column_type = Some(gristmill_crds::ColumnType::Timestamp);
        ingest.spec.record.columns.push(column);
        compaction.spec.processed.partition_by =
            vec![PartitionField { column: "seen_at".into(), transform: PartitionTransform::Month }];
    });
    // In January of 1970 the first two, in February the third.
    warehouse.ingest([book("a").at(0), book("b").of(2021).at(1), book("c").at(2)]).await;
    warehouse.compact().await;
    let files = warehouse.listed_files().await;
    let months: Vec<&str> = files.iter().map(|file| file.as_str().rsplit('/').nth(1).unwrap()).collect();
    assert_eq!(months, ["seen_at_month=1970-01", "seen_at_month=1970-02"]);
    let rows: Vec<String> = warehouse.live().await.iter().map(Book::summary).collect();
    assert_eq!(rows, ["a untitled 2020", "b untitled 2021", "c untitled 2020"]);
}

#[tokio::test]
async fn run_says_what_it_took() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a")]).await;
    let report = warehouse.compact().await;
    let gristmill::compact::Outcome::Committed { summary, .. } = &report.outcome else {
        panic!("there was something new")
    };
    let cost = summary.cost.unwrap();
    assert!(cost.peak_memory > 1 << 20 && cost.delta_bytes > 100, "{cost:?}");
    assert!(summary.files.bytes_after > 0);
}
