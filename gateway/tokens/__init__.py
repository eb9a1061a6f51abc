"""Tokens: who asks. `authenticate` decides on every request, `grant` at the token endpoint."""

from gateway.tokens.authenticate import Authenticator, challenge, public_code
from gateway.tokens.replay import LocalReplay, ReplayMemory
from gateway.tokens.settings import Settings
from gateway.tokens.throttle import Limits, Throttle
from gateway.tokens.values import DPOP, MTLS, Caller, Refused, Request

__all__ = [
    "DPOP",
    "MTLS",
    "Authenticator",
    "Caller",
    "Limits",
    "LocalReplay",
    "Refused",
    "ReplayMemory",
    "Request",
    "Settings",
    "Throttle",
    "challenge",
    "public_code",
]
