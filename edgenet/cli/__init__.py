"""The command line: options in, a workflow's result out, and nothing decided in between."""
