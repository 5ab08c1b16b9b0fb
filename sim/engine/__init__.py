"""The compiled engine: the same numbers as the SimPy model to the bit, many times as fast.

SimPy is the reference: what is new is written there first, and `choice.py` sends to it what this
engine does not know. `layout.py` says what stands in which array and `tables.py` how compiled
functions find them; `rooms.py` what is compiled only for systems that need it, and `needs.py`
which those are; `lists.py`, `belts.py` and `events.py` have the event list; `devices.py`,
`sessions.py`, `churn.py`, `adaptive.py`, `gaps.py`, `channel.py`, `fading.py`, `stations.py`,
`shared.py`, `contended.py`, `scheduled.py`, `batching.py`, `server.py` and `records.py` the rules,
each function marked with the method that it is the twin of; `kernel.py` plays them. `system.py`
puts a system into arrays, with `links.py`, `loads.py`, `rows.py`, `talks.py` and `options.py`;
`state.py` has what the kernel writes, `readings.py` reads it off, `stepwise.py` is a run of all of
it. `loops` is a second kernel, for plain closed loops alone, and `run.py` chooses between the two.
tests/sim/test_engine.py, test_engine_sessions.py and test_loops.py hold both engines, and both
kernels, against each other.
"""
