"""What all tests share."""

import signal

# A shell that starts a job in the background lets it ignore Ctrl-C, and processes inherit that. The programs under test
# are to meet SIGINT as they do in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
