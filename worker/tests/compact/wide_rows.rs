//! Rows that are many times longer in memory than in their file.

use gristmill::parquet_file::ParquetReader;
use gristmill::zone::ZoneReader;

use crate::books::book;
use crate::warehouse::{Warehouse, counts};

/// A text that comes in every row is in the file once.
#[tokio::test]
async fn wide_rows_are_read_few_at_a_time() {
    let warehouse = Warehouse::in_memory();
    let licence = "All rights reserved. ".repeat(1000);
    warehouse.ingest((0..3000).map(|number| book(&number.to_string()).titled(&licence).at(number))).await;

    let zone = ZoneReader::open(warehouse.surroundings("raw")).await.unwrap();
    let live = zone.fold().live().values().next().unwrap();
    let reader = ParquetReader::open(&zone, &live.file).await.unwrap();
    let groups: Vec<usize> = (0..reader.row_groups().len()).collect();
    let (mut batches, mut rows, mut most) = (reader.batches(&["record_id", "title"], groups).unwrap(), 0, 0);
    while let Some(batch) = batches.next().await.unwrap() {
        rows += batch.num_rows();
        most = most.max(batch.get_array_memory_size());
    }

    assert_eq!(rows, 3000);
    assert!(live.file.bytes < 1 << 20, "{} bytes", live.file.bytes);
    // 4 MiB of texts, in buffers that grow by doubling.
    assert!(most < 12 << 20, "{most} bytes in one batch, of 60 MB in all");
    assert_eq!(counts(&warehouse.compact().await), [3000, 0, 0, 3000]);
}
