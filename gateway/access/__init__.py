"""Access: who may ask what. Pure."""
