"""The ladder: plain closed loops, three times as fast.

A device in a closed loop has one request, and what it costs is known once it is drawn, pause and
all. So one event a request stands in the list, its arrival at the medium; a medium's next departure
or timer, the batch in service and the look at who waits are single numbers beside it. The rules are
those of the event-by-event kernel, in the same order of arithmetic; what that kernel's order of
scheduling settles, two events at the very same instant, is not settled here but noticed: the run
begins again on the other kernel (sim.engine.run).

    layout    what stands in which column
    tables    the arrays, as compiled functions see them
    known     which systems are plain enough
    costs     what every request costs, device by device alike
    windows   the list of arrivals
    media     the ways of sharing a medium
    server    decoding cores, the server and its batches
    kernel    the loop over events
    state     the arrays of a run, and room for more
    readings  what is read off a run
"""
