"""Real Apache Kafka, started by deploy/kafka/kafka.sh once a session."""
