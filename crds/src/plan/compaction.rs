//! The plan of an `HourlyCompaction`, checked against the `StreamIngest` that it refers to.

use super::ingest::references;
use super::pod::check_pod;
use super::reference::check_names;
use super::schema::check_hourly_compaction;
use super::{HadoopPlan, IngestPlan, Invalid, Problems, Reference, SecurityPlan, identity, refuse_local, zone_url};
use crate::hourly_compaction::{
    Deduplication, HourlyCompaction, HourlyCompactionSpec, IngestRef, PartitionField, PartitionTransform, Processed,
};
use crate::projection::CompactionProjection;
use crate::record::ColumnType;
use crate::stream_ingest::StreamIngest;

/// Everything that a compaction decides by, validated.
#[derive(Debug, Clone)]
pub struct CompactionPlan {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, else `default`.
    pub namespace: String,
    /// The plan of the StreamIngest: its columns and its RAW zone.
    pub ingest: IngestPlan,
    /// When a run starts, in cron syntax.
    pub schedule: String,
    /// Time zone of the schedule.
    pub time_zone: String,
    /// Directory of the Processed zone, without a trailing slash.
    pub processed_path: String,
    /// Columns that name the directories, outermost first.
    pub partition_by: Vec<String>,
    /// Columns that identify a row.
    pub key: Vec<String>,
    /// Columns that decide which row of a key stays.
    pub order_by: Vec<String>,
    /// How HDFS is found, and who we are to it: its own, else that of the StreamIngest.
    pub hadoop: Option<HadoopPlan>,
    /// Digest of the projection of both documents, `sha256:<hex>`.
    pub spec_digest: String,
}

impl CompactionPlan {
    /// Validates a compaction together with its StreamIngest.
    ///
    /// # Errors
    /// All problems of the HourlyCompaction; if it has none and the StreamIngest is invalid, those of the StreamIngest.
    pub fn try_new(compaction: &HourlyCompaction, ingest: &StreamIngest) -> Result<Self, Invalid> {
        let ingest_plan = IngestPlan::try_from(ingest)?;
        let mut problems = Problems::default();
        let (document, name, namespace) = identity("HourlyCompaction", &compaction.metadata, &mut problems);
        // No `..`: a new field must be given a meaning here.
        let HourlyCompactionSpec { ingest_ref, schedule, time_zone, processed, deduplication, hadoop, pod } =
            &compaction.spec;
        check_reference(ingest_ref, &namespace, &ingest_plan, &mut problems);
        let schedule = schedule.clone().unwrap_or_else(|| "5 * * * *".into());
        check_schedule(&schedule, &mut problems);
        let Processed { path, partition_by } = processed;
        let processed_path = zone_url("spec.processed.path", path, &mut problems);
        check_apart(&processed_path, &ingest_plan.raw_path, &mut problems);
        let partition_by = check_partitions(partition_by, &ingest_plan, &mut problems);
        let Deduplication { key, order_by } = deduplication;
        check_key(key, &ingest_plan, &mut problems);
        check_order(order_by, &ingest_plan, &mut problems);
        let hadoop = HadoopPlan::read("spec.hadoop", hadoop.as_ref(), &mut problems);
        check_names(&references(&SecurityPlan::default(), hadoop.as_ref()), &mut problems);
        check_pod("spec.pod", pod.as_ref(), &mut problems);
        check_hourly_compaction(&compaction.spec, &mut problems);
        if !problems.0.is_empty() {
            return Err(problems.into_invalid(document));
        }
        Ok(Self {
            name,
            namespace,
            schedule,
            time_zone: time_zone.clone().unwrap_or_else(|| "Etc/UTC".into()),
            processed_path,
            partition_by,
            key: key.clone(),
            order_by: order_by.clone(),
            hadoop: hadoop.or_else(|| ingest_plan.hadoop.clone()),
            spec_digest: CompactionProjection::new(compaction, ingest).digest(),
            ingest: ingest_plan,
        })
    }

    /// HDFS user name of simple authentication, if a document names one.
    pub fn hdfs_user(&self) -> Option<&str> {
        self.hadoop.as_ref().and_then(HadoopPlan::simple_user)
    }

    /// The Secrets and ConfigMaps that a run reads, each once, in order of their names.
    pub fn references(&self) -> Vec<Reference> {
        references(&SecurityPlan::default(), self.hadoop.as_ref())
    }

    /// The plan, if pods can run it.
    ///
    /// # Errors
    /// The zone is a local directory.
    pub fn in_cluster(self) -> Result<Self, Invalid> {
        refuse_local(format!("HourlyCompaction {}", self.name), "spec.processed.path", &self.processed_path)?;
        Ok(self)
    }

    /// Moves both zones, and the group of the RAW zone, to another place: what `--local DIR` does.
    pub fn with_paths(mut self, raw_path: String, consumer_group: String, processed_path: String) -> Self {
        self.ingest = self.ingest.with_raw_path(raw_path, consumer_group);
        self.processed_path = processed_path;
        self
    }
}

fn check_reference(ingest_ref: &IngestRef, namespace: &str, ingest: &IngestPlan, problems: &mut Problems) {
    if ingest_ref.name != ingest.name || namespace != ingest.namespace {
        problems.add(
            "spec.ingestRef.name",
            format!(
                "{:?} in namespace {namespace:?} is not the StreamIngest at hand, {:?} in namespace {:?}; name one of the same namespace",
                ingest_ref.name, ingest.name, ingest.namespace
            ),
        );
    }
}

/// Five fields of characters that cron knows; the API server checks their ranges when the CronJob is made.
fn check_schedule(schedule: &str, problems: &mut Problems) {
    let legal = |c: char| c.is_ascii_alphanumeric() || "*/,-?".contains(c);
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let macros = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
    let five = fields.len() == 5 && fields.iter().all(|field| field.chars().all(legal));
    if !five && !macros.contains(&schedule) {
        problems.add(
            "spec.schedule",
            format!("{schedule:?} is not a schedule; write five fields such as \"5 * * * *\" (minute hour day month weekday)"),
        );
    }
}

fn check_apart(processed: &str, raw: &str, problems: &mut Problems) {
    let rejected = format!("{raw}_rejected");
    for other in [raw, rejected.as_str()] {
        let inside = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}/"));
        if inside(processed, other) || inside(other, processed) {
            problems.add(
                "spec.processed.path",
                format!("{processed:?} and {other:?} lie within each other; give each zone a directory of its own"),
            );
        }
    }
}

fn check_partitions(fields: &[PartitionField], ingest: &IngestPlan, problems: &mut Problems) -> Vec<String> {
    let at = "spec.processed.partitionBy";
    if fields.is_empty() || fields.len() > 3 {
        problems.add(at, format!("has {} fields; write one to three", fields.len()));
    }
    let mut columns: Vec<String> = Vec::new();
    for (index, PartitionField { column, transform }) in fields.iter().enumerate() {
        let at = format!("{at}[{index}].column");
        let PartitionTransform::Identity = transform;
        match ingest.column(column) {
            None => problems.add(at, unknown_column(column, ingest)),
            Some(found) if !makes_directories(found) => problems.add(
                at,
                format!("{column:?} is a {}, whose values do not make directories by Identity; choose an Int32, Int64, Boolean, Date or String", type_name(found)),
            ),
            Some(_) if column.starts_with('_') => problems.add(
                at,
                format!("{column:?} begins with \"_\": Hive and PyArrow hide directories of such names, and the rows with them; rename the column"),
            ),
            Some(_) if columns.contains(column) => problems.add(at, format!("{column:?} stands here twice; remove one")),
            Some(_) => columns.push(column.clone()),
        }
    }
    if !columns.is_empty() && columns.len() == ingest.record.columns.len() {
        problems.add(at, "names every column; at least one must remain in the files");
    }
    columns
}

fn check_key(key: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    let at = "spec.deduplication.key";
    if key.is_empty() {
        problems.add(at, "is empty; name the columns that identify a row");
    }
    check_columns(at, key, ingest, problems);
    for (index, column) in key.iter().enumerate() {
        let refused = |c: &&super::ColumnPlan| c.is_list() || c.value_type.column_type() == ColumnType::Float64;
        if let Some(refused) = ingest.column(column).filter(refused) {
            problems.add(
                format!("{at}[{index}]"),
                format!("{column:?} is a {}, which can't be a key; use another column", type_name(refused)),
            );
        }
    }
}

/// Columns whose order decides: lists have none.
fn check_order(order_by: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    let at = "spec.deduplication.orderBy";
    check_columns(at, order_by, ingest, problems);
    for (index, column) in order_by.iter().enumerate() {
        if ingest.column(column).is_some_and(super::ColumnPlan::is_list) {
            let message = format!("{column:?} is a List, which has no order; use another column");
            problems.add(format!("{at}[{index}]"), message);
        }
    }
}

fn makes_directories(column: &super::ColumnPlan) -> bool {
    let types = [ColumnType::Int32, ColumnType::Int64, ColumnType::Boolean, ColumnType::Date, ColumnType::String];
    !column.is_list() && types.contains(&column.value_type.column_type())
}

fn type_name(column: &super::ColumnPlan) -> String {
    if column.is_list() { "List".to_owned() } else { format!("{:?}", column.value_type.column_type()) }
}

fn check_columns(at: &str, columns: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    if columns.len() > 16 {
        problems.add(at, format!("has {} columns; at most 16 are possible", columns.len()));
    }
    for (index, column) in columns.iter().enumerate() {
        if ingest.column(column).is_none() {
            problems.add(format!("{at}[{index}]"), unknown_column(column, ingest));
        } else if columns[..index].contains(column) {
            problems.add(format!("{at}[{index}]"), format!("{column:?} stands here twice; remove one"));
        }
    }
}

fn unknown_column(column: &str, ingest: &IngestPlan) -> String {
    let names: Vec<&str> = ingest.record.columns.iter().map(|column| column.name.as_str()).collect();
    format!("{column:?} is not a column of StreamIngest {:?}; it has {}", ingest.name, names.join(", "))
}
