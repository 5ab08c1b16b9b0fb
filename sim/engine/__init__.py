"""The compiled engine: the same numbers as the SimPy model to the bit, many times as fast.

SimPy is the reference: what is new is written there first, and `choice.py` sends to it what this
engine does not know. `layout.py` says what stands in which array, `lists.py` has the event list,
`kernel.py` the rules, each marked with the method that it is the twin of, `run.py` puts a system
into arrays and reads its book off them. tests/sim/test_engine.py holds both against each other.
"""
