"""One run, from its plan to its report. The only room that knows every other room."""
