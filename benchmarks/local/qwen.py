"""The same as `benchmarks.local`, with Qwen2.5-Coder-1.5B: `python3 tasks.py bench local.qwen [PHRASES]`."""

from __future__ import annotations

from benchmarks.local.__main__ import main

if __name__ == "__main__":
    main("qwen2.5-coder-1.5b")
