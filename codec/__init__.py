"""Feature codecs: tensor to bytes and back."""
