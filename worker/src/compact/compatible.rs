//! Whether the live files of the zone can go on in today's columns; asked before anything is read or written.

use std::collections::HashSet;

use arrow::datatypes::FieldRef;
use gristmill_core::compact::Layout;
use gristmill_core::log::{FileZone, LiveFile};
use gristmill_core::raw::schema_id;

use super::Error;
use crate::parquet_file::ParquetReader;
use crate::zone::ZoneReader;

/// Checks the columns of every live file of the zone, also of buckets that the run has nothing to do with: readers see all
/// of them together (F34). Gives those that only files have, and the resource does not.
///
/// An entry names its file's schema and partition values, so that one footer tells for all files of a schema, and none is
/// read while all were written with today's.
pub(super) async fn check(layout: &Layout, zone: &ZoneReader) -> Result<Vec<FieldRef>, Error> {
    let today = schema_id(layout.file());
    let mut checked = HashSet::from([today.as_str()]);
    let mut dropped = Vec::new();
    let live = zone.fold().live().values();
    for LiveFile { file, .. } in live.filter(|live| live.file.zone == FileZone::Processed) {
        let conflict = |source| Error::Column { path: file.path.to_string(), source };
        layout.keeps_partition(file.partition.as_deref().unwrap_or_default()).map_err(conflict)?;
        if checked.insert(&file.schema) {
            let reader = ParquetReader::open(zone, file).await.map_err(Error::File)?;
            layout.take_dropped(reader.schema(), &mut dropped).map_err(conflict)?;
        }
    }
    Ok(dropped)
}
