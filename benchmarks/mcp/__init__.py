"""Tool calls over HTTP and standard input, and the start of a client, beside a bare server of the SDK."""
