"""C2PA manifests: defining, writing, reading."""
