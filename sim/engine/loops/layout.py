"""Layout of the arrays of plain loops: what stands in which column, beside sim.engine.layout."""

# of a device, floats and whole numbers in one row of a cache line: when its request arrives at the
# medium (then, from the window on in which it does, its next pause in means), who is next in its
# window's chain, how many had left before it was drawn, what it costs, when it was created, how
# many the device has drawn (and, where the next is drawn already, one more than what that costs, in
# the upper half), the slot in which it is on its way (below 0: it is on its device)
D_AT, D_NEXT, D_BORN, D_COST, D_CREATED, D_NUMBER, D_SLOT, _, N_LOOP = range(9)
# of a request on its way, in the slot that it has until it leaves: whose it is and what it costs
# (whole numbers), its stamps and its share of a batch, as they are kept when it has left
(DEVICE, COST, CREATED, L_START, ALONE, L_END, C_START, C_END, S_START, S_END, SHARE, DONE,
 N_KEPT) = range(13)  # fmt: skip
# then, whole numbers, who is next in the queue it stands in (or its place among those on the air),
# its accesses still to come, where it is
NEXT, ACCESSES, PLACE, _, N_SLOT = range(12, 17)
DRAWN_BITS = 32
"""Those of the lower half: how many a device has drawn."""
ON_DEVICE, AT_MEDIUM, AT_CORES, AT_SERVER, SERVED = range(5)

# of a request's costs: seconds of its device, on the air (of an access, where stations contend), on
# a core, alone on a GPU and back again; accesses (below 0: it stays on its device), of what size,
# its kind of device
(WORK_S, AIR_S, DECODE_S, ALONE_S, AFTER_S, N_ACCESSES, SIZE, KIND, N_COST) = range(9)
# of a batch's: what is copied for it, and of which source the seconds of many are
COPIED, TAIL, N_SHARED = range(3)
# of a kind of device: its mean pause, whether that is drawn, its weight, its first costs, how many
MEAN, DRAWS, WEIGHT, FIRST, MANY, N_KIND = range(6)

# scalars beside those of sim.engine.layout: the end of the window in play, the width of all and
# how many there are in a second; the last instant that mattered, and when its request was drawn;
# when the first comes off a core, when it is back on its device and when the last was; when the
# server looks again; the least seconds from coming back to the medium, and from whatever else
# happens to coming back; when the last batch was over
(WINDOW_END, WIDTH, PER_S, LAST_S, LAST_CREATED, CORE_S, BACK_S, DONE_S, WAKE_S, NEXT_WORK,
 NEXT_ANSWER, LAST_END, N_MARK) = range(13)  # fmt: skip
(WINDOW_NOW, LIST_AT, LIST_END, LAST_FROM, BORN_NOW, IN_SYSTEM, CORE_FRONT, N_DECODING, CORE_QUEUE,
 CORE_LAST, BACK_FRONT, N_BACK, WAIT_FIRST, WAIT_LAST, N_WAITING, TURN, SHORT, PLAYED,
 ROWS, N_MARK_WHOLE) = range(20)  # fmt: skip

N_DRAWN = 8
"""Requests of a device that are drawn at a time where there are few, a power of two."""

N_LOTS = 16
"""Numbers of a cell's stream that are made at a time, a power of two."""

DEVICE_BITS = 24
"""A device or a slot in the key of what stands in a list; the number that settles ties is above."""

# what an event comes from; a cell's or a GPU's number is added
FROM_LIST, FROM_CORE, FROM_WAKE, FROM_GPU, FROM_CELL = 0, 1, 2, 1 << 20, 1 << 21

# why the kernel comes back
REACHED, TIED, GROW_ROWS, GROW_ROOM, GROW_WINDOW, GROW_CELL, ASKS, BUDGET = range(8)
