"""Properties here compile kernels at their first example: no test of ours is a matter of time."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
