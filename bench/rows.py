"""rows.py FILE: rows of the Parquet files that a JSON list names, and a digest of all of them that no order changes."""

import json
import sys

import duckdb

# Types differ among writers: a timestamp with or without a zone, a key as bytes or text.
ROW = """record_id, title, author_name, author_country, library_region, publication_year::INTEGER, price::DECIMAL(10, 2),
    epoch_us(updated_at), kafka_partition::INTEGER, kafka_offset::BIGINT, epoch_ms(kafka_timestamp), record_index::INTEGER"""

with open(sys.argv[1], encoding="utf-8") as listing:
    files = json.load(listing)
rows, digest = 0, 0
if files:
    rows, digest = duckdb.execute(f"SELECT count(*), sum(hash({ROW})) FROM read_parquet(?, hive_partitioning = false)",
                                  [files]).fetchone()
print(json.dumps({"rows": rows, "digest": str(digest)}))
