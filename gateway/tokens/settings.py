"""What the token rooms are told once, at start. Times in seconds, as in the claims that they bound."""

from dataclasses import dataclass

ENDPOINT = "/oauth/token"
MAX_TOKEN_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Settings:
    """`base_url`: scheme, host and optional path under which clients reach this gateway, without a last slash.

    It is the issuer (RFC 8414 §2), and the beginning of every `htu`; the Host header never is. All nodes that
    should accept each other's tokens share it, and the `zone`: a node of another zone cannot issue tokens here.
    `audience` is the `aud` of access tokens, by default the base URL.
    """

    base_url: str
    zone: str
    audience: str = ""
    token_seconds: int = 300  # lifetime of an access token, at most 600
    assertion_seconds: int = 300  # longest `exp - iat` of a client assertion
    proof_window: int = 60  # a DPoP proof's `iat` may be this far from now, either way
    skew: int = 60  # an `iat` or `nbf` further ahead is refused (FAPI 2.0 Security Profile §5.3.2.1)
    cached_tokens: int = 10_000

    def __post_init__(self) -> None:
        if not 1 <= self.token_seconds <= MAX_TOKEN_SECONDS or self.base_url.endswith("/"):
            raise ValueError("token_seconds is 1 to 600, base_url ends without a slash")

    @property
    def issuer(self) -> str:
        return self.base_url

    @property
    def resource(self) -> str:
        """The exact `aud` of access tokens."""
        return self.audience or self.base_url

    @property
    def token_endpoint(self) -> str:
        return self.base_url + ENDPOINT
