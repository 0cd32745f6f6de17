//! Wrong documents: each is `full.yaml` with one piece replaced.

/// What is wrong, the piece of `full.yaml`, and what stands in its place.
pub(crate) type Wrong = (&'static str, &'static str, &'static str);

/// The same twice in a document would make a replacement ambiguous; a test keeps the pieces unique.
pub(crate) const WRONG: &[Wrong] = &[
    // What YAML makes of it.
    ("a word that kubectl reads as a boolean", "\"NO\"", "NO"),
    ("a switch written as a word", "suspend: false", "suspend: off"),
    ("an octal number", "umask: \"027\"", "umask: 027"),
    ("a decimal where the API has no floats", "min: \"0.01\"", "min: 0.01"),
    ("a decimal amount of CPU", "cpu: 500m", "cpu: 0.5"),
    ("a decimal percentage", "maxPercent: \"2.5\"", "maxPercent: 2.5"),
    ("a number where a text is needed", "topic: book_data_topic", "topic: 7"),
    ("a setting of Kafka that is not quoted", "fetch.max.bytes: \"52428800\"", "fetch.max.bytes: 52428800"),
    ("a key twice", "suspend: false", "suspend: false\n  suspend: true"),
    // What the types make of it.
    ("a field in the wrong case", "rowPath:", "rowpath:"),
    ("a field that is missing", "      topic: book_data_topic\n", ""),
    ("a union without its discriminator", "{position: Timestamp, timestamp:", "{timestamp:"),
    ("a block where a list is needed", "[{name: registry}]", "{name: registry}"),
    ("a value that no enum has", "compression: Zstd", "compression: gzip"),
    ("a type that no column has", "type: Int32", "type: Integer"),
    ("a field that no toleration has", "effect: NoSchedule", "effekt: NoSchedule"),
    // Names and paths.
    ("a name in capitals", "{name: books, namespace", "{name: Books, namespace"),
    (
        "a name that is too long",
        "{name: books, namespace",
        "{name: books-of-the-library-of-the-town-of-millstone, namespace",
    ),
    ("a relative row path", "rowPath: /library/book", "rowPath: library/book"),
    ("a row path with an empty step", "rowPath: /library/book", "rowPath: /library//book"),
    ("an axis of XPath", "path: author/country", "path: descendant::country"),
    ("a predicate of XPath", "path: author/country", "path: \"author[1]/country\""),
    ("two columns of one name", "{name: title,", "{name: Record_Id,"),
    ("a reserved column", "{name: title,", "{name: kafka_offset,"),
    // Rules.
    ("a pattern that does not compile", "\"^[0-9a-f-]{36}$\"", "\"^[0-9a-f-{36}$\""),
    ("a pattern on a number", "min: 1450, max: 2100", "pattern: \"[0-9]+\""),
    ("a bound on a text", "path: title}", "path: title, min: 1}"),
    ("a bound beyond the type", "max: 2100", "max: 99999999999"),
    ("bounds that let nothing through", "min: 1450, max: 2100", "min: 2100, max: 1450"),
    ("a date that is none", "min: \"1450-01-01\"", "min: \"1450-02-30\""),
    // Source.
    ("a broker without a port", "kafka-0.kafka:9093,", "kafka-0.kafka,"),
    ("a topic with a blank", "topic: book_data_topic", "topic: book data topic"),
    ("a timestamp that is none", "\"2026-11-23T02:00:00Z\"", "\"2026-11-23 02:00\""),
    ("a timestamp for another position", "{position: Timestamp,", "{position: Latest,"),
    ("a position without its timestamp", ", timestamp: \"2026-11-23T02:00:00Z\"", ""),
    ("a setting that loads code", "session.timeout.ms: \"15000\"", "plugin.library.paths: \"/tmp/x.so\""),
    ("a setting that exactly-once rests on", "session.timeout.ms: \"15000\"", "enable.auto.commit: \"true\""),
    ("a setting out of its range", "session.timeout.ms: \"15000\"", "session.timeout.ms: \"0\""),
    ("a setting of the other protocol", "fetch.max.bytes: \"52428800\"", "group.protocol: consumer"),
    ("a name of a Secret that Kubernetes does not allow", "{name: books-kafka}", "{name: Books_Kafka}"),
    ("a key that would leave its directory", "key: ca.crt", "key: ../ca.crt"),
    ("a Secret and a ConfigMap of one name", "{name: krb5, key", "{name: books-keytab, key"),
    // Rejected.
    ("more than all messages", "maxPercent: \"2.5\"", "maxPercent: 250"),
    ("no message at all", "minMessages: 500", "minMessages: 0"),
    ("a window in words", "window: 10m", "window: 10 minutes"),
    ("a period without a unit", "{after: 90d}", "{after: \"90\"}"),
    // RAW.
    ("another kind of store", "path: hdfs://nameservice1/raw_zone/books", "path: s3://bucket/raw_zone/books"),
    ("the root of a file system", "path: hdfs://nameservice1/raw_zone/books", "path: hdfs://nameservice1/"),
    ("a size that Kubernetes does not know", "targetSize: 128Mi", "targetSize: 128MB"),
    ("a size that is too small", "targetSize: 128Mi", "targetSize: 1Ki"),
    ("zero for no limit", "maxRecords: 1000000", "maxRecords: 0"),
    ("an age that is too long", "maxAge: 5m", "maxAge: 48h"),
    ("an archive that nothing goes to", "action: Archive", "action: Delete"),
    ("an archive without a place", ", archivePath: hdfs://nameservice1/archive/books", ""),
    ("an archive inside of the zone", "hdfs://nameservice1/archive/books", "hdfs://nameservice1/raw_zone/books/old"),
    // Hadoop.
    ("two identities", "    proxyUser: library\n", "    simple: {user: etl}\n"),
    ("a umask that locks its owner out", "umask: \"027\"", "umask: \"777\""),
    ("a principal without a realm", "books@EXAMPLE.COM", "books"),
    ("a principal with an argument in it", "books@EXAMPLE.COM", "\"books -c /tmp/x@EXAMPLE.COM\""),
    // Scaling, rewind, pods.
    ("replicas that the operator decides", "minReplicas: 1\n", "replicas: 2\n"),
    ("fewest above most", "minReplicas: 1\n", "minReplicas: 20\n"),
    ("a duration that the API server refuses", "catchUpDuration: 30m", "catchUpDuration: 10m5m5m5m5m"),
    ("a utilization that leaves no room", "targetUtilizationPercent: 70", "targetUtilizationPercent: 100"),
    ("a rewind without a nonce", "nonce: 2026-11-23-bad-feed", "nonce: \"\""),
    ("a rewind without its offsets", ", offsets: [{partition: 0, offset: 100}]", ""),
    ("a partition twice", "{partition: 0, offset: 100}", "{partition: 0, offset: 100}, {partition: 0, offset: 7}"),
    ("an offset before the first", "offset: 100", "offset: -1"),
    ("memory that nothing fits in", "memory: 256Mi", "memory: 64Mi"),
    ("a variable that the operator sets", "name: RUST_LOG", "name: GRISTMILL_MEMORY"),
    ("egress that the mode does not restrict", "mode: IngressAndEgress", "mode: Ingress"),
];
