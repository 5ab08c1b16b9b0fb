"""What crosses the air: links, channels, rates, and how stations share them."""
