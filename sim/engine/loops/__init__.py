"""Plain closed loops, two to four times as fast as event by event.

A device in a closed loop has one request, and what that costs is known once it is drawn, pause and
all. So one event a request stands in the list, its arrival at the medium; a medium's next departure
or timer, the batch in service and the look at who waits are single numbers beside it. From there on
a request has a slot, which is free again when it leaves, so that what is in play stays small
however many devices pause. What nobody meets is no event: a batch behind which nobody waits is over
when the next comes, and those who are back on their devices are taken several at a time, in their
order.

The rules are those of the event-by-event kernel (sim.engine.kernel), in the same order of
arithmetic. What that kernel's order of scheduling settles, two events at the very same instant, is
not settled here but noticed: the run begins again over there (sim.engine.run).

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
