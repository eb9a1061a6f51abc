"""One secured broker for the whole session."""

from collections.abc import Iterator

import pytest

from tests.e2e.kafka.broker import QUICK, Broker, running

OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
MECHANISMS = (
    "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER",
    f'listener.name.clients.plain.sasl.jaas.config={PLAIN} user_admin="plain text";',
    f'listener.name.clients.oauthbearer.sasl.jaas.config={OAUTH} unsecuredLoginStringClaim_sub="unused";',
    "connections.max.reauth.ms=60000",
)
# As careless as a shared cluster may be: whoever asks for a topic with one word too many creates it.
CARELESS = ("auto.create.topics.enable=true",)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Kafka with SCRAM over TLS and ACLs; PLAIN, OAUTHBEARER (unsigned tokens) and client certificates too.

    It creates topics for everybody who asks in the way of Kafka's own clients.
    """
    directory = tmp_path_factory.mktemp("kafka") / "cluster"
    with running(directory, security="sasl_tls", properties=(*QUICK, *MECHANISMS, *CARELESS)) as broker:
        yield broker
