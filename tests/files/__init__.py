"""The file store, as a folder and as a bucket of a real S3 server on loopback."""
