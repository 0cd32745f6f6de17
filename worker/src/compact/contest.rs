//! Which contested rows differ: a duplicate that is equal to its zone row in all user columns changes nothing (F25).

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use gristmill_core::compact::{Contest, RowAddress, RowDigest, RowDigests};
use gristmill_core::log::LiveFile;

use super::selection::{self, Selection, by_file, file_of};
use super::{Compaction, Error};
use crate::zone::ZoneReader;

/// The contests whose two rows differ in a user column.
pub(super) async fn unequal(
    compaction: &Compaction<'_>,
    zone: &ZoneReader,
    contests: &[Contest],
) -> Result<Vec<Contest>, Error> {
    if contests.is_empty() {
        return Ok(Vec::new());
    }
    let schema = SchemaRef::new(compaction.layout.user_columns());
    let digests = RowDigests::try_new(&schema).map_err(|source| Error::Arrow { act: "compare rows", source })?;
    let side = |reader, files| Reading { reader, files, schema: &schema, digests: &digests };
    let of_delta =
        side(compaction.raw, &compaction.run.delta).digest(contests.iter().map(|contest| contest.delta)).await?;
    let of_zone = side(zone, &compaction.run.zone).digest(contests.iter().map(|contest| contest.zone)).await?;
    let differ = |contest: &&Contest| of_delta.get(&contest.delta) != of_zone.get(&contest.zone);
    Ok(contests.iter().filter(differ).copied().collect())
}

/// The user columns of one side's rows.
struct Reading<'r> {
    reader: &'r ZoneReader,
    files: &'r [LiveFile],
    schema: &'r SchemaRef,
    digests: &'r RowDigests,
}

impl Reading<'_> {
    async fn digest(&self, rows: impl Iterator<Item = RowAddress>) -> Result<HashMap<RowAddress, RowDigest>, Error> {
        let mut found = HashMap::new();
        for (file, mut rows) in by_file(rows) {
            rows.sort_unstable();
            let live = file_of(self.files, file);
            let selection = Selection::of(rows.iter().copied(), live.file.rows);
            let batches = selection::read(self.reader, live, self.schema, &selection).await?;
            let mut rows = rows.into_iter();
            for batch in &batches {
                let digests = self.digests.of(batch).map_err(|source| Error::Arrow { act: "compare rows", source })?;
                // Digests first: a zip asks its first side once more than it yields, and would swallow a row there.
                let addressed =
                    digests.into_iter().zip(rows.by_ref()).map(|(digest, row)| (RowAddress { file, row }, digest));
                found.extend(addressed);
            }
        }
        Ok(found)
    }
}
