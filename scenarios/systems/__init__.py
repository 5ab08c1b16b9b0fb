"""A measured network and a configuration become the case that `sim` plays."""
