"""The shared language of oncegate: messages, feeds, registry, evidence types, algorithms, errors.

Everything here is pure, except the folder `edge`: values in, values out; no socket, file, thread or clock.
"""
