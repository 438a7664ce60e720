"""Check an opened prompt without sdsafe: the C2PA library reads the file, hashlib does the rest.

python examples/check_disclosure.py DOCUMENT FILE

The manifest of FILE holds a commitment: sha256(salt || canonical JSON of the texts). DOCUMENT, written by
`sdsafe disclose`, holds salt and texts. Canonical JSON here: keys sorted, no spaces, UTF-8.
"""

import hashlib
import json
import sys

import c2pa


def main() -> int:
    """Return 0 if the document opens the commitment of the file."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - nothing but the plainest Python
        document = json.load(file)
    context = c2pa.Context.from_dict({"trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.4"}})
    with c2pa.Reader(sys.argv[2], context=context) as reader:
        manifest = json.loads(reader.json())
        if reader.get_validation_state() not in {"Valid", "Trusted"}:
            sys.exit("the manifest does not hold")
    assertions = manifest["manifests"][manifest["active_manifest"]]["assertions"]
    stated = next(each["data"] for each in assertions if each["label"] == "org.sdsafe.generation")["prompt"]
    texts = json.dumps(document["texts"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    found = hashlib.sha256(bytes.fromhex(document["salt"]) + texts.encode()).hexdigest()
    print("opens" if found == stated["commitment"] else "does NOT open", "the commitment", stated["commitment"])
    return 0 if found == stated["commitment"] else 1


if __name__ == "__main__":
    sys.exit(main())
