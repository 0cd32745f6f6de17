"""counts.py FOLDER: rows of a RAW zone and of its rejects below a folder, by the footers of the committed files."""

import glob
import json
import os
import sys

import pyarrow.parquet

found = {"rows": 0, "rejects": 0, "files": 0, "bytes": 0}
for path in glob.glob(f"{sys.argv[1]}/**/ingest_date=*/**/*.parquet", recursive=True):
    rejects = "_rejected/" in os.path.relpath(path, sys.argv[1])
    found["rejects" if rejects else "rows"] += pyarrow.parquet.read_metadata(path).num_rows
    found["files"] += 1
    found["bytes"] += os.path.getsize(path)
print(json.dumps(found))
