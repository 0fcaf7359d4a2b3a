"""The `ottla` command: start a broker, look at the machine, look into files.

`main` holds the table of commands; each command is a module that is imported when it runs, so that `ottla --help`
answers at once. What goes wrong reaches a person as a `Trouble`: cause, next step, exit code, never a traceback.
"""
