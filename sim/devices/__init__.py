"""The devices: requests as they arise, policies that choose, memory, sessions."""
