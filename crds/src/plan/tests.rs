//! Documents and what the plan says of them.

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::stream_ingest::StreamIngest;
use crate::{CompactionProjection, HourlyCompaction, IngestProjection};

const QUICKSTART: &str = include_str!("../../../manifests/quickstart/books.yaml");

fn quickstart() -> (serde_json::Value, serde_json::Value) {
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(QUICKSTART).expect("the quickstart is YAML");
    let [ingest, compaction]: [serde_json::Value; 2] = documents.try_into().expect("it has two documents");
    (ingest, compaction)
}

fn ingest(document: serde_json::Value) -> StreamIngest {
    serde_json::from_value(document).expect("the document has the fields of a StreamIngest")
}

fn compaction(document: serde_json::Value) -> HourlyCompaction {
    serde_json::from_value(document).expect("the document has the fields of an HourlyCompaction")
}

/// The quickstart's StreamIngest with one field replaced (null removes it).
fn ingest_with(pointer: &str, value: serde_json::Value) -> StreamIngest {
    let (mut document, _) = quickstart();
    set(&mut document, pointer, value);
    ingest(document)
}

fn set(document: &mut serde_json::Value, pointer: &str, value: serde_json::Value) {
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer} has no parent"));
    match parent {
        serde_json::Value::Array(items) => items[field.parse::<usize>().expect("an index")] = value,
        _ => parent[field] = value,
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Invalid>) -> String {
    result.expect_err("the document is refused").to_string()
}

#[test]
fn the_quickstart_is_valid_and_has_the_documented_defaults() {
    let (document, _) = quickstart();
    let plan = IngestPlan::try_from(&ingest(document)).expect("the quickstart is valid");
    assert_eq!(plan.start_from, Position::Earliest);
    assert_eq!(plan.target_size, 128 << 20);
    assert_eq!(plan.max_age.as_secs(), 10);
    assert_eq!(plan.hdfs_user(), Some("etl"));
    assert_eq!(plan.record.row_path.to_string(), "/library/book");
    // sha256("hdfs://namenode.library.svc:8020/raw_zone/books")
    assert_eq!(plan.consumer_group.rsplit_once('.').map(|(stem, _)| stem), Some("gristmill.library.books"));
    assert!(plan.consumer_group.rsplit('.').next().is_some_and(|hash| hash.len() == 8));
    let title = plan.column("title").expect("the quickstart has a title");
    assert!(title.required && title.trim);
}

#[test]
fn all_problems_of_a_document_are_told_at_once() {
    let (mut document, _) = quickstart();
    set(&mut document, "/spec/record/rowPath", json!("library/book"));
    set(&mut document, "/spec/record/columns/3/path", json!("author/@"));
    set(&mut document, "/spec/raw/path", json!("s3://bucket/raw"));
    let text = refusal(IngestPlan::try_from(&ingest(document)));
    insta::assert_snapshot!(text, @r#"
    StreamIngest books is invalid
      spec.record.rowPath: "library/book" is not a path: a row path begins with "/", for example /library/book
      spec.record.columns[3].path: "author/@" is not a path: it has an empty step; write names separated by one "/"
      spec.raw.path: "s3://bucket/raw" is not a zone; write hdfs://host:8020/path or file:///path
    "#);
}

#[rstest]
#[case("/metadata/name", json!("a-name-that-is-far-too-long-for-pods-and-jobs"), "metadata.name", "shorten it")]
#[case("/metadata/name", json!("Books"), "metadata.name", "lower-case")]
#[case("/spec/source/kafka/bootstrapServers", json!("kafka"), "spec.source.kafka.bootstrapServers", "host:port")]
#[case("/spec/source/kafka/bootstrapServers", json!("a:9092,,b:9092"), "spec.source.kafka.bootstrapServers", "host:port")]
#[case("/spec/source/kafka/topic", json!("a topic"), "spec.source.kafka.topic", "not a topic name")]
#[case("/spec/record/rowPath", json!("/library//book"), "spec.record.rowPath", "empty step")]
#[case("/spec/record/rowPath", json!("/x:library/book"), "spec.record.rowPath", "declare it in record.namespaces")]
#[case("/spec/record/columns", json!([]), "spec.record.columns", "at least one")]
#[case("/spec/record/columns/1/name", json!("Record_ID"), "spec.record.columns[1].name", "columns[0]")]
#[case("/spec/record/columns/1/name", json!("kafka_offset"), "spec.record.columns[1].name", "choose another")]
#[case("/spec/record/columns/1/name", json!("a-b"), "spec.record.columns[1].name", "not a column name")]
#[case("/spec/record/columns/1/path", json!("book[1]/title"), "spec.record.columns[1].path", "not an element name")]
#[case("/spec/record/columns/1/path", json!("ancestor::title"), "spec.record.columns[1].path", "axes are not supported")]
#[case("/spec/record/columns/1/path", json!("/@id"), "spec.record.columns[1].path", "root element first")]
#[case("/spec/record/columns/0/pattern", json!("[a-"), "spec.record.columns[0].pattern", "regular expression")]
#[case("/spec/record/columns/5/pattern", json!("1"), "spec.record.columns[5].pattern", "applies to String")]
#[case("/spec/record/columns/1/min", json!(1), "spec.record.columns[1].min", "applies to numbers")]
#[case("/spec/record/columns/5/min", json!("soon"), "spec.record.columns[5].min", "32 bits")]
#[case("/spec/record/columns/5/min", json!(2200), "spec.record.columns[5].min", "greater than max")]
#[case("/spec/record/columns/5/max", json!(99999999999i64), "spec.record.columns[5].max", "32 bits")]
#[case("/spec/record/columns/6", json!({"name": "f", "path": "f", "type": "Float64", "min": "NaN"}), "spec.record.columns[6].min", "finite")]
#[case("/spec/record/columns/6/precision", json!(39), "spec.record.columns[6].precision", "outside 1 to 38")]
#[case("/spec/record/columns/6/scale", json!(-1), "spec.record.columns[6].scale", "outside 0 to 38")]
#[case("/spec/record/columns/6/scale", json!(11), "spec.record.columns[6].scale", "above precision 10")]
#[case("/spec/record/columns/6/scale", json!(null), "spec.record.columns[6].scale", "a Decimal needs it")]
#[case("/spec/record/columns/6/min", json!("0.001"), "spec.record.columns[6].min", "2 behind the point")]
#[case("/spec/record/columns/6/formats", json!(["%d"]), "spec.record.columns[6].formats", "Date and Timestamp")]
#[case("/spec/record/columns/5/precision", json!(5), "spec.record.columns[5].precision", "type: Decimal")]
#[case("/spec/record/columns/5/minLength", json!(1), "spec.record.columns[5].minLength", "use min and max")]
#[case("/spec/record/columns/5/timeZone", json!("UTC"), "spec.record.columns[5].timeZone", "applies to Timestamp")]
#[case("/spec/record/columns/5/enum", json!([2000, "x"]), "spec.record.columns[5].enum[1]", "is not an Int32")]
#[case("/spec/record/columns/5/default", json!("unknown"), "spec.record.columns[5].default", "is not an Int32")]
#[case("/spec/record/columns/5/default", json!(1066), "spec.record.columns[5].default", "below min 1450")]
#[case("/spec/record/columns/0/default", json!("none"), "spec.record.columns[0].default", "does not match the pattern")]
#[case("/spec/record/columns/7/timeZone", json!("Berlin"), "spec.record.columns[7].timeZone", "such as Europe/Berlin")]
#[case("/spec/record/columns/7/formats", json!(["%Y-%m-%d", "%Q"]), "spec.record.columns[7].formats[1]", "not known")]
#[case("/spec/record/columns/7/formats", json!(["%H:%M"]), "spec.record.columns[7].formats[0]", "which day")]
#[case("/spec/record/columns/7/formats", json!(["%Y-%m-%d %H:%M %Z"]), "spec.record.columns[7].formats[0]", "write %z")]
#[case("/spec/record/columns/7/min", json!("yesterday"), "spec.record.columns[7].min", "is not a Timestamp")]
#[case("/spec/record/columns/1/separator", json!(";"), "spec.record.columns[1].separator", "repeated: Join")]
#[case("/spec/record/columns/5/repeated", json!("Join"), "spec.record.columns[5].repeated", "write List")]
#[case("/spec/record/columns/1/minLength", json!(501), "spec.record.columns[1].minLength", "greater than maxLength")]
#[case("/spec/record/columns/1/minLength", json!(-1), "spec.record.columns[1].minLength", "negative")]
#[case("/spec/record/namespaces", json!([{"prefix": "b", "uri": ""}]), "spec.record.namespaces[0].uri", "as documents declare it")]
#[case("/spec/record/namespaces", json!([{"prefix": "xml", "uri": "u"}]), "spec.record.namespaces[0].prefix", "choose another")]
#[case("/spec/record/namespaces", json!([{"prefix": "b", "uri": "u"}, {"prefix": "b", "uri": "v"}]), "spec.record.namespaces[1].prefix", "twice")]
#[case("/spec/record/limits", json!({"maxMessageSize": "1Gi"}), "spec.record.limits.maxMessageSize", "to 128Mi")]
#[case("/spec/record/limits", json!({"maxTextSize": "much"}), "spec.record.limits.maxTextSize", "such as 128Mi")]
#[case("/spec/record/limits", json!({"maxDepth": 0}), "spec.record.limits.maxDepth", "outside 1 to 10000")]
#[case("/spec/record/limits", json!({"maxRowsPerMessage": -5}), "spec.record.limits.maxRowsPerMessage", "outside 1 to")]
#[case("/spec/raw/path", json!("file://tmp/raw"), "spec.raw.path", "file:///absolute")]
#[case("/spec/raw/path", json!("hdfs:///raw"), "spec.raw.path", "lacks a host")]
#[case("/spec/raw/path", json!("hdfs://nn:8020/"), "spec.raw.path", "root of the file system")]
#[case("/spec/raw/path", json!("file:///a/../b"), "spec.raw.path", "\"..\"")]
#[case("/spec/raw/files/maxAge", json!("5 minutes"), "spec.raw.files.maxAge", "such as 5m")]
#[case("/spec/raw/files/maxAge", json!("0s"), "spec.raw.files.maxAge", "1s to 24h")]
#[case("/spec/raw/files/targetSize", json!("128MB"), "spec.raw.files.targetSize", "such as 128Mi")]
#[case("/spec/raw/files/targetSize", json!("1Ki"), "spec.raw.files.targetSize", "outside 1Mi")]
#[case("/spec/hadoop/simple/user", json!("a b"), "spec.hadoop.simple.user", "not a user name")]
#[case("/spec/pod", json!({"memory": "64Mi"}), "spec.pod.memory", "at least 128Mi")]
#[case("/spec/pod", json!({"cpu": "much"}), "spec.pod.cpu", "500m")]
#[case("/spec/pod", json!({"cpu": "0.0000001"}), "spec.pod.cpu", "500m")]
#[case("/spec/pod", json!({"cpu": "1e30"}), "spec.pod.cpu", "500m")]
#[case("/spec/pod", json!({"env": [{"name": "A"}, {"name": "B"}, {"name": "A"}]}), "spec.pod.env[2].name", "already, at [0]")]
#[case("/spec/pod", json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}), "spec.pod.imagePullSecrets[1].name", "already")]
#[case("/spec/pod", json!({"hostAliases": [{"ip": "10.0.0.7"}, {"ip": "10.0.0.7"}]}), "spec.pod.hostAliases[1].ip", "already")]
#[case("/spec/record/columns/0/pattern", json!(r"\w{200}"), "spec.record.columns[0].pattern", "is too large")]
fn a_wrong_ingest_is_refused_by_field_and_with_the_next_act(
    #[case] pointer: &str,
    #[case] value: serde_json::Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let text = refusal(IngestPlan::try_from(&ingest_with(pointer, value)));
    assert!(text.contains(&format!("  {field}: ")) && text.contains(says), "{text}");
}

#[rstest]
#[case("/spec/ingestRef/name", json!("films"), "spec.ingestRef.name", "same namespace")]
#[case("/spec/schedule", json!("hourly"), "spec.schedule", "five fields")]
#[case("/spec/processed/path", json!("hdfs://namenode.library.svc:8020/raw_zone/books/p"), "spec.processed.path", "directory of its own")]
#[case("/spec/processed/path", json!("hdfs://namenode.library.svc:8020/raw_zone/books_rejected"), "spec.processed.path", "directory of its own")]
#[case("/spec/processed/partitionBy/0/column", json!("year"), "spec.processed.partitionBy[0].column", "it has record_id")]
#[case("/spec/processed/partitionBy/0/column", json!("price"), "spec.processed.partitionBy[0].column", "is a Decimal")]
#[case("/spec/deduplication/key", json!([]), "spec.deduplication.key", "identify a row")]
#[case("/spec/deduplication/key/0", json!("isbn"), "spec.deduplication.key[0]", "not a column")]
#[case("/spec/deduplication/orderBy", json!(["updated_at", "updated_at"]), "spec.deduplication.orderBy[1]", "twice")]
fn a_wrong_compaction_is_refused_by_field_and_with_the_next_act(
    #[case] pointer: &str,
    #[case] value: serde_json::Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let (ingest_document, mut document) = quickstart();
    set(&mut document, pointer, value);
    let text = refusal(CompactionPlan::try_new(&compaction(document), &ingest(ingest_document)));
    assert!(text.contains(&format!("  {field}: ")) && text.contains(says), "{text}");
}

#[test]
fn a_compaction_has_the_documented_defaults() {
    let (ingest_document, document) = quickstart();
    let plan = CompactionPlan::try_new(&compaction(document), &ingest(ingest_document)).expect("it is valid");
    assert_eq!((plan.starting_deadline.as_secs(), plan.backoff_limit, plan.suspend), (3000, 3, false));
    assert_eq!((plan.target_size, plan.merge_below, plan.max_records), (256 << 20, 64 << 20, None));
    assert_eq!((plan.compression, plan.buckets, plan.keep), (crate::Compression::Zstd, 1, crate::Keep::Latest));
    assert!(plan.sort_by.is_empty() && plan.lateness.is_none());
    let names = |columns: &[ColumnPlan]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&plan.columns), names(&plan.ingest.record.columns));
    let sizing = &plan.sizing;
    assert_eq!((sizing.mode, sizing.target_duration.as_secs()), (crate::ScalingMode::Advise, 300));
    assert_eq!((sizing.max_cpu.0.as_str(), sizing.max_memory, sizing.max_spill), ("4", 8 << 30, 20 << 30));
    assert_eq!(sizing.max_parallelism, 1);
}

/// The quickstart's compaction with fields of its spec.
fn compaction_with(fields: serde_json::Value) -> HourlyCompaction {
    let (_, mut document) = quickstart();
    let fields = fields.as_object().expect("fields").clone();
    document["spec"].as_object_mut().expect("a spec").extend(fields);
    compaction(document)
}

#[test]
fn columns_that_other_fields_need_are_kept_in_the_order_of_the_stream_ingest() {
    let resource = compaction_with(json!({
        "columns": ["author_name"],
        "processed": {"path": "hdfs://nn:8020/p", "sortBy": ["title"],
            "partitionBy": [{"column": "publication_year", "transform": "Identity"}]},
        "deduplication": {"key": ["record_id"], "orderBy": ["price"]},
        "lateness": {"column": "updated_at", "allowed": "1d"},
    }));
    let plan = CompactionPlan::try_new(&resource, &ingest(quickstart().0)).expect("it is valid");
    let names: Vec<&str> = plan.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["record_id", "title", "author_name", "publication_year", "price", "updated_at"]);
    let lateness = plan.lateness.expect("it has one");
    assert_eq!((lateness.allowed.as_secs(), lateness.policy), (86_400, crate::LatePolicy::Merge));
}

#[test]
fn small_files_are_a_quarter_of_the_target_unless_written_otherwise() {
    let plan = |files: serde_json::Value| {
        let (ingest_document, mut document) = quickstart();
        document["spec"]["processed"]["files"] = files;
        CompactionPlan::try_new(&compaction(document), &ingest(ingest_document)).expect("it is valid").merge_below
    };
    assert_eq!(plan(json!({"targetSize": "1Mi"})), 256 << 10);
    assert_eq!(plan(json!({"targetSize": "1Mi", "mergeBelow": "1Mi"})), 1 << 20);
}

#[test]
fn directories_named_as_a_column_are_refused() {
    let (document, mut other) = quickstart();
    let mut resource = ingest(document);
    resource.spec.record.columns[1].name = "Updated_At_Month".into();
    set(&mut other, "/spec/processed/partitionBy/0", json!({"column": "updated_at", "transform": "Month"}));
    let text = refusal(CompactionPlan::try_new(&compaction(other), &resource));
    assert!(text.contains("spec.processed.partitionBy[0]: would name its directories \"updated_at_month\""), "{text}");
    assert!(text.contains("as column \"Updated_At_Month\" is called"), "{text}");
}

#[test]
fn what_a_run_works_by_changes_the_digest_and_when_it_starts_does_not() {
    let digest = |fields| CompactionProjection::new(&compaction_with(fields), &ingest(quickstart().0)).digest();
    let original = digest(json!({}));
    for fields in
        [json!({"suspend": true, "backoffLimit": 1, "startingDeadline": "1m"}), json!({"schedule": "0 * * * *"})]
    {
        assert_eq!(original, digest(fields));
    }
    for fields in [
        json!({"columns": ["title"]}),
        json!({"lateness": {"column": "updated_at", "allowed": "1d"}}),
        json!({"sizing": {"maxSpillPerPod": "1Gi"}}),
    ] {
        assert_ne!(original, digest(fields));
    }
}

#[rstest]
#[case("/spec/record/columns/6", json!({"name": "price", "path": "p", "type": "Float64"}), "spec.deduplication.key[0]", "is a Float64")]
#[case("/spec/record/columns/6", json!({"name": "price", "path": "p", "repeated": "List"}), "spec.deduplication.key[0]", "is a List")]
#[case("/spec/record/columns/7", json!({"name": "updated_at", "path": "u", "repeated": "List"}), "spec.deduplication.orderBy[0]", "no order")]
fn columns_of_some_types_are_neither_keys_nor_order(
    #[case] pointer: &str,
    #[case] value: serde_json::Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let (_, mut document) = quickstart();
    set(&mut document, "/spec/deduplication/key/0", json!("price"));
    let text = refusal(CompactionPlan::try_new(&compaction(document), &ingest_with(pointer, value)));
    assert!(text.contains(&format!("  {field}: ")) && text.contains(says), "{text}");
}

#[test]
fn a_record_block_has_the_documented_defaults() {
    let (document, _) = quickstart();
    let record = IngestPlan::try_from(&ingest(document)).expect("the quickstart is valid").record;
    assert_eq!(record.limits, MessageLimits::default());
    let limits = [record.limits.message_bytes, record.limits.depth, record.limits.attributes, record.limits.rows];
    assert_eq!(limits, [16 << 20, 128, 1_000, 100_000]);
    let author = &record.columns[2];
    assert!(author.trim && !author.collapse && !author.required && author.default.is_none());
    assert_eq!(author.repeated, Repetition::Refused);
}

#[test]
fn patterns_that_are_large_together_are_refused() {
    let (document, _) = quickstart();
    let mut resource = ingest(document);
    let column = &resource.spec.record.columns[0];
    resource.spec.record.columns = (0..1000)
        .map(|number| crate::Column {
            name: format!("c{number}"),
            pattern: Some(r"^\w{1,10}$".into()),
            ..column.clone()
        })
        .collect();
    let text = refusal(IngestPlan::try_from(&resource));
    assert!(!text.contains("columns[0].pattern") && text.contains("columns[999].pattern"), "{}", text.len());
}

#[test]
fn directories_that_readers_hide_are_refused() {
    let (document, mut other) = quickstart();
    let mut resource = ingest(document);
    resource.spec.record.columns[5].name = "_year".into();
    set(&mut other, "/spec/processed/partitionBy/0/column", json!("_year"));
    let text = refusal(CompactionPlan::try_new(&compaction(other), &resource));
    assert!(text.contains("spec.processed.partitionBy[0].column: \"_year\" begins with"), "{text}");
}

#[test]
fn a_local_zone_is_for_laptops_and_not_for_pods() {
    let (_, compaction_document) = quickstart();
    let on_hdfs = quickstart().0;
    let local = ingest_with("/spec/raw/path", json!("file:///tmp/raw"));
    let plan = IngestPlan::try_from(&local).expect("a laptop runs it");
    let text = refusal(plan.in_cluster());
    assert!(text.contains("  spec.raw.path: ") && text.contains("gone with it"), "{text}");
    let mut document = compaction_document;
    set(&mut document, "/spec/processed/path", json!("file:///tmp/processed"));
    let plan = CompactionPlan::try_new(&compaction(document), &ingest(on_hdfs)).expect("a laptop runs it");
    assert!(refusal(plan.in_cluster()).contains("  spec.processed.path: "));
}

#[test]
fn an_unknown_field_is_refused_by_its_name() {
    let (mut document, _) = quickstart();
    set(&mut document, "/spec/record/rowpath", json!("/library/book"));
    let error = serde_json::from_value::<StreamIngest>(document).expect_err("the field is unknown");
    assert!(error.to_string().contains("rowpath"), "{error}");
}

#[test]
fn a_change_of_the_pod_leaves_the_digest_and_a_changed_rule_does_not() {
    let digest = |ingest: &StreamIngest| IngestProjection::new(ingest).digest();
    let (document, _) = quickstart();
    let original = digest(&ingest(document));
    assert_eq!(original, digest(&ingest_with("/spec/pod", json!({"cpu": "2"}))));
    assert_eq!(original, digest(&ingest_with("/metadata/labels", json!({"team": "books"}))));
    assert_ne!(original, digest(&ingest_with("/spec/record/columns/1/required", json!(false))));
}

#[test]
fn a_projection_is_a_document_of_the_same_kind() {
    let (ingest_document, compaction_document) = quickstart();
    let projection = CompactionProjection::new(&compaction(compaction_document), &ingest(ingest_document));
    let [first, second]: [serde_json::Value; 2] = projection.documents().try_into().expect("two documents");
    let plan = CompactionPlan::try_new(&compaction(first), &ingest(second)).expect("the projection is valid");
    assert_eq!(plan.spec_digest, projection.digest());
}

#[rstest]
#[case("title", Origin::Row, &["title"], Selector::Text)]
#[case("author/name", Origin::Row, &["author", "name"], Selector::Text)]
#[case("author/name/text()", Origin::Row, &["author", "name"], Selector::Text)]
#[case("@id", Origin::Row, &[], attribute("id"))]
#[case("text()", Origin::Row, &[], Selector::Text)]
#[case("/library/@region", Origin::Root, &["library"], attribute("region"))]
#[case("/library/header/sent", Origin::Root, &["library", "header", "sent"], Selector::Text)]
fn a_column_path_is_read(
    #[case] text: &str,
    #[case] origin: Origin,
    #[case] steps: &[&str],
    #[case] selector: Selector,
) {
    let path = ColumnPath::parse(text, &Prefixes::default()).expect("the path is valid");
    let steps = steps.iter().map(|step| any(step)).collect();
    assert_eq!(path, ColumnPath { origin, steps, selector });
    assert_eq!(ColumnPath::parse(&path.to_string(), &Prefixes::default()), Ok(path));
}

/// A name that matches any namespace.
fn any(local: &str) -> Name {
    Name { prefix: None, namespace: NamespaceTest::Any, local: local.to_owned() }
}

fn attribute(local: &str) -> Selector {
    Selector::Attribute(any(local))
}

#[rstest]
#[case("0", 0)]
#[case("128Mi", 128 << 20)]
#[case("2G", 2_000_000_000)]
#[case("1Ti", 1 << 40)]
fn a_size_is_read_in_bytes(#[case] text: &str, #[case] bytes: u64) {
    assert_eq!(crate::Quantity(text.into()).to_bytes(), Ok(bytes));
}

#[rstest]
#[case("-1")]
#[case("1.5Gi")]
#[case("9999999999Ti")]
#[case("")]
#[case("Mi")]
fn a_size_that_is_no_whole_number_of_bytes_is_refused(#[case] text: &str) {
    assert!(crate::Quantity(text.into()).to_bytes().is_err());
}
