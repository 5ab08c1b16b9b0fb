"""The compiled engine: the same numbers as the SimPy model to the bit, many times as fast.

SimPy is the reference: what is new is written there first, and `choice.py` sends to it what this
engine does not know. `layout.py` says what stands in which array and `tables.py` how compiled
functions find them; `lists.py` and `events.py` have the event list; `devices.py`, `gaps.py`,
`channel.py`, `fading.py`, `stations.py`, `shared.py`, `contended.py`, `scheduled.py` and
`server.py` the rules, each function marked with the method that it is the twin of; `kernel.py`
plays them. `run.py` puts a system into arrays, with `links.py` and `loads.py`, and reads its book
off them. tests/sim/test_engine.py holds both engines against each other.
"""
