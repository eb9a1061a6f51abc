"""Authorization server metadata (RFC 8414 §2), as clients discover it."""

from collections.abc import Mapping

from contracts.algorithms import SUITES
from contracts.encoding import Json
from gateway.tokens.settings import Settings

WELL_KNOWN = "/.well-known/oauth-authorization-server"


def metadata(settings: Settings) -> Mapping[str, Json]:
    """The document at `WELL_KNOWN`. `response_types_supported` is required, and empty: nobody logs in here."""
    algorithms = list(SUITES)
    return {
        "issuer": settings.issuer,
        "token_endpoint": settings.token_endpoint,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "self_signed_tls_client_auth"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
        "tls_client_certificate_bound_access_tokens": True,
    }
