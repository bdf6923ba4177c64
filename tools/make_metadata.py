"""Write the top-level metadata.yml from the packaged mappings, or check that it is what they say.

python tools/make_metadata.py            write it
python tools/make_metadata.py --check    exit 1 if it is stale, write nothing
"""

from __future__ import annotations

import sys
from pathlib import Path

from ingest.mapping import packaged_mappings
from ingest.metadata import metadata_yaml

METADATA = Path(__file__).resolve().parents[1] / "metadata.yml"


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 good, 1 stale, 2 usage."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    wanted = metadata_yaml(packaged_mappings().values())
    if not arguments:
        METADATA.write_text(wanted, encoding="utf-8")
        return 0
    if METADATA.is_file() and METADATA.read_text(encoding="utf-8") == wanted:
        return 0
    print("metadata.yml 与映射不一致；请运行 tools/make_metadata.py", file=sys.stderr)
    print("metadata.yml is stale; run tools/make_metadata.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
