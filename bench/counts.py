"""counts.py FOLDER: rows of a RAW zone and of its rejects below a folder, by the footers of the committed files."""

import glob
import json
import os
import sys

import pyarrow.parquet

found = {"rows": 0, "rejects": 0, "files": 0, "row_groups": 0, "bytes": 0}
for path in glob.glob(f"{sys.argv[1]}/**/ingest_date=*/**/*.parquet", recursive=True):
    rejects = "_rejected/" in os.path.relpath(path, sys.argv[1])
    footer = pyarrow.parquet.read_metadata(path)
    found["rejects" if rejects else "rows"] += footer.num_rows
    found["row_groups"] += footer.num_row_groups
    found["files"] += 1
    found["bytes"] += os.path.getsize(path)
print(json.dumps(found))
