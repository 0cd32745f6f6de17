import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

import com.ctc.wstx.api.WstxInputProperties;
import com.ctc.wstx.stax.WstxInputFactory;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.fs.Path;
import org.apache.flink.formats.avro.typeutils.GenericRecordAvroTypeInfo;
import org.apache.flink.formats.parquet.ParquetWriterFactory;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.parquet.avro.AvroParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;

/**
 * The ingest as a Flink job of one process: Kafka, Woodstox, one row a book, rules, Parquet.
 *
 * FlinkIngest BOOTSTRAP TOPIC DIRECTORY (drain | follow) CORES
 *
 * "drain" reads what the topic holds and ends; "follow" takes a checkpoint every second, which makes files visible, and
 * stays. Rows that break a rule are dropped: rejects are not written.
 */
public final class FlinkIngest {
    private static final Schema ROW = schema();

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0], topic = arguments[1], directory = arguments[2];
        boolean follows = arguments[3].equals("follow");
        int cores = Integer.parseInt(arguments[4]);

        Configuration configuration = new Configuration();
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + directory + "/checkpoint");
        // A benchmark shall end at a failure, not begin anew.
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(cores, configuration);
        environment.enableCheckpointing(follows ? 1_000 : 10_000);
        environment.getConfig().enableObjectReuse();

        KafkaSourceBuilder<GenericRecord> source = KafkaSource.<GenericRecord>builder()
            .setBootstrapServers(bootstrap)
            .setTopics(topic)
            .setGroupId("flink-" + directory.hashCode())
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new Books());
        if (!follows) {
            source.setBounded(OffsetsInitializer.latest());
        }
        FileSink<GenericRecord> sink = FileSink
            .forBulkFormat(new Path("file://" + directory + "/rows"), new ParquetWriterFactory<>(FlinkIngest::writer))
            .withOutputFileConfig(OutputFileConfig.builder().withPartSuffix(".parquet").build())
            .build();
        environment.fromSource(source.build(), WatermarkStrategy.noWatermarks(), "books", new GenericRecordAvroTypeInfo(ROW))
            .sinkTo(sink);
        environment.execute();
    }

    private static org.apache.parquet.hadoop.ParquetWriter<GenericRecord> writer(org.apache.parquet.io.OutputFile file)
            throws java.io.IOException {
        org.apache.hadoop.conf.Configuration configuration = new org.apache.hadoop.conf.Configuration(false);
        configuration.setInt("parquet.compression.codec.zstd.level", 1);
        return AvroParquetWriter.<GenericRecord>builder(file)
            .withSchema(schema())
            .withDataModel(GenericData.get())
            .withCompressionCodec(CompressionCodecName.ZSTD)
            .withConf(configuration)
            .build();
    }

    private static Schema schema() {
        Schema price = LogicalTypes.decimal(10, 2).addToSchema(Schema.create(Schema.Type.BYTES));
        Schema micros = LogicalTypes.timestampMicros().addToSchema(Schema.create(Schema.Type.LONG));
        Schema millis = LogicalTypes.timestampMillis().addToSchema(Schema.create(Schema.Type.LONG));
        return SchemaBuilder.record("book").fields()
            .requiredString("record_id").requiredString("title").optionalString("author_name")
            .optionalString("author_country").optionalString("library_region").optionalInt("publication_year")
            .name("price").type().optional().type(price)
            .name("updated_at").type().optional().type(micros)
            .requiredString("kafka_topic").requiredInt("kafka_partition").requiredLong("kafka_offset")
            .name("kafka_timestamp").type(millis).noDefault()
            .optionalBytes("kafka_key").requiredInt("record_index")
            .endRecord();
    }

    /** Messages into rows, nothing of a message that is not well-formed to its end. */
    private static final class Books implements KafkaRecordDeserializationSchema<GenericRecord> {
        private static final Pattern RECORD_ID = Pattern.compile("^[0-9a-f-]{36}$");
        private static final BigDecimal CENT = new BigDecimal("0.01");
        private static final String ROW_PATH = "/library/book";
        private transient XMLInputFactory factory;

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> message, Collector<GenericRecord> out) {
            List<Map<String, String>> books = new ArrayList<>();
            String region;
            try {
                region = read(message.value(), books);
            } catch (XMLStreamException broken) {
                return;
            }
            for (int index = 0; index < books.size(); index++) {
                GenericRecord row = row(books.get(index), region);
                if (row != null) {
                    row.put("kafka_topic", message.topic());
                    row.put("kafka_partition", message.partition());
                    row.put("kafka_offset", message.offset());
                    row.put("kafka_timestamp", message.timestamp());
                    row.put("kafka_key", message.key() == null ? null : ByteBuffer.wrap(message.key()));
                    row.put("record_index", index);
                    out.collect(row);
                }
            }
        }

        /** Texts of each book by their paths below it; the library's region. */
        private String read(byte[] document, List<Map<String, String>> books) throws XMLStreamException {
            if (factory == null) {
                factory = new WstxInputFactory();
                factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
                factory.setProperty(XMLInputFactory.IS_COALESCING, true);
                // Without this a broken text is complained of when it is asked for, by an unchecked exception.
                factory.setProperty(WstxInputProperties.P_LAZY_PARSING, false);
            }
            XMLStreamReader reader = factory.createXMLStreamReader(new ByteArrayInputStream(document));
            StringBuilder path = new StringBuilder(), text = new StringBuilder();
            Deque<Integer> lengths = new ArrayDeque<>();
            Map<String, String> book = null;
            String region = null;
            while (reader.hasNext()) {
                switch (reader.next()) {
                    case XMLStreamConstants.START_ELEMENT -> {
                        lengths.push(path.length());
                        path.append('/').append(reader.getLocalName());
                        text.setLength(0);
                        if (lengths.size() == 1) {
                            region = trimmed(reader.getAttributeValue(null, "region"));
                        } else if (path.toString().equals(ROW_PATH)) {
                            book = new HashMap<>();
                        }
                    }
                    case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA -> text.append(reader.getText());
                    case XMLStreamConstants.END_ELEMENT -> {
                        if (path.toString().equals(ROW_PATH)) {
                            books.add(book);
                            book = null;
                        } else if (book != null) {
                            book.putIfAbsent(path.substring(ROW_PATH.length() + 1), trimmed(text.toString()));
                        }
                        path.setLength(lengths.pop());
                        text.setLength(0);
                    }
                    default -> { }
                }
            }
            return region;
        }

        /** The columns of a book; null if a rule is broken. */
        private static GenericRecord row(Map<String, String> book, String region) {
            String id = book.get("record_id"), title = book.get("title"), country = book.get("author/country");
            if (id == null || !RECORD_ID.matcher(id).find() || title == null || title.codePointCount(0, title.length()) > 500) {
                return null;
            }
            GenericRecord row = new GenericData.Record(ROW);
            row.put("record_id", id);
            row.put("title", title);
            row.put("author_name", book.get("author/name"));
            row.put("author_country", country == null || country.isEmpty() || country.equals("N/A") ? null : country);
            row.put("library_region", region);
            try {
                String year = value(book, "publication_year"), price = value(book, "price"), updated = value(book, "updated_at");
                if (year != null) {
                    int number = Integer.parseInt(year);
                    if (number < 1450 || number > 2100) {
                        return null;
                    }
                    row.put("publication_year", number);
                }
                if (price != null) {
                    BigDecimal number = new BigDecimal(price).setScale(2, RoundingMode.UNNECESSARY);
                    if (number.compareTo(CENT) < 0 || number.precision() > 10) {
                        return null;
                    }
                    row.put("price", ByteBuffer.wrap(number.unscaledValue().toByteArray()));
                }
                if (updated != null) {
                    Instant moment = OffsetDateTime.parse(updated).withOffsetSameInstant(ZoneOffset.UTC).toInstant();
                    row.put("updated_at", ChronoUnit.MICROS.between(Instant.EPOCH, moment));
                }
            } catch (ArithmeticException | NumberFormatException | DateTimeParseException wrong) {
                return null;
            }
            return row;
        }

        private static String value(Map<String, String> book, String path) {
            String text = book.get(path);
            return text == null || text.isEmpty() ? null : text;
        }

        private static String trimmed(String text) {
            return text == null ? null : text.strip();
        }

        @Override
        public TypeInformation<GenericRecord> getProducedType() {
            return new GenericRecordAvroTypeInfo(ROW);
        }
    }
}
