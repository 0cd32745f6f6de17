"""The ingest as a Spark Structured Streaming job: Kafka, from_xml, one row a book, rules, Parquet.

spark.py BOOTSTRAP TOPIC DIRECTORY (drain | follow)

`drain` reads what the topic holds and ends; `follow` begins a batch every second and stays. Rows that break a rule are
dropped: rejects are not written.
"""

import glob
import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, expr, from_xml, posexplode

BOOK = """STRUCT<record_id: STRING, title: STRING, author: STRUCT<name: STRING, country: STRING>,
    publication_year: STRING, price: STRING, updated_at: STRING>"""
LIBRARY = f"_region STRING, book ARRAY<{BOOK}>, broken STRING"
# Texts, since one value that has not its column's type would make the whole message broken.
COLUMNS = {
    "record_id": "trimmed(book.record_id)",
    "title": "trimmed(book.title)",
    "author_name": "trimmed(book.author.name)",
    "author_country": "nullif(nullif(trimmed(book.author.country), ''), 'N/A')",
    "library_region": "trimmed(library._region)",
    "year_text": "nullif(trimmed(book.publication_year), '')",
    "price_text": "nullif(trimmed(book.price), '')",
    "updated_text": "nullif(trimmed(book.updated_at), '')",
}
TYPED = {
    "publication_year": "try_cast(year_text AS INT)",
    "price": "try_cast(price_text AS DECIMAL(10, 2))",
    "updated_at": "try_cast(updated_text AS TIMESTAMP)",
}
RULES = r"""
    record_id RLIKE '^[0-9a-f-]{36}$' AND title IS NOT NULL AND length(title) <= 500
    AND (year_text IS NULL OR publication_year BETWEEN 1450 AND 2100)
    AND (price_text IS NULL OR price >= 0.01)
    AND (updated_text IS NULL OR updated_at IS NOT NULL)
"""
KAFKA = "topic AS kafka_topic, partition AS kafka_partition, offset AS kafka_offset, timestamp AS kafka_timestamp, key AS kafka_key"
WRITTEN = ["record_id", "title", "author_name", "author_country", "library_region", *TYPED, "kafka_topic",
           "kafka_partition", "kafka_offset", "kafka_timestamp", "kafka_key", "record_index"]


def trimmed(expression):
    return expression.replace("trimmed(", r"trim(BOTH ' \t\r\n' FROM ")


def session():
    cores = len(os.sched_getaffinity(0))
    jars = glob.glob(os.path.join(os.environ["PEERS_HOME"], "spark", "jars", "*.jar"))
    # Scala and slf4j come with Spark.
    extra = [jar for jar in jars if not os.path.basename(jar).startswith(("scala-", "slf4j-"))]
    spark = (SparkSession.builder.master(f"local[{cores}]").config("spark.driver.extraClassPath", ":".join(extra))
             .config("spark.sql.parquet.compression.codec", "zstd")
             .config("spark.hadoop.parquet.compression.codec.zstd.level", "1")
             .config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def rows(spark, bootstrap, topic):
    messages = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap)
                .option("subscribe", topic).option("startingOffsets", "earliest").load())
    parsed = messages.select(from_xml(col("value").cast("string"), LIBRARY, {"columnNameOfCorruptRecord": "broken"})
                             .alias("library"), *(expr(each) for each in KAFKA.split(", ")))
    books = parsed.where("library.broken IS NULL").select("*", posexplode("library.book").alias("record_index", "book"))
    texts = books.select("*", *(expr(trimmed(each)).alias(name) for name, each in COLUMNS.items()))
    return texts.select("*", *(expr(each).alias(name) for name, each in TYPED.items())).where(RULES).select(WRITTEN)


def main():
    bootstrap, topic, directory, mode = sys.argv[1:]
    trigger = {"availableNow": True} if mode == "drain" else {"processingTime": "1 second"}
    query = (rows(session(), bootstrap, topic).writeStream.format("parquet").option("path", f"{directory}/rows")
             .option("checkpointLocation", f"{directory}/checkpoint").trigger(**trigger).start())
    query.awaitTermination()


if __name__ == "__main__":
    main()
