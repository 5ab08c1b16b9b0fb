"""The command line: schema, commands, help, completion, errors, progress."""
