"""Where a job runs; its answer is streamed back whatever becomes of the process."""
