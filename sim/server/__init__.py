"""The server: decoding, batching rules, GPUs and processors."""
