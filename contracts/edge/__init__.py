"""The shared I/O: transport, key files, configuration, command-line output, clock.

Nothing outside this folder (in `contracts`) may import it; that keeps the core pure.
"""
