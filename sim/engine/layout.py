"""Layout of the compiled engine's arrays: what stands in which column.

Numba freezes these numbers into the kernel; both sides take them from here alone.
"""

# scalars, floats
(NOW, ARRIVAL_SUM, LEFT_SUM, GPU_FREE, GPU_WORK, GPU_BUSY, DECODER_WORK, DECODER_BUSY, AGAIN,
 TARGET_AT, ALL_AT, N_FLOATS) = range(12)  # fmt: skip
# scalars, whole numbers
(ORDER, HEAP, FRONT, QUEUED, FREE, ROWS, ARRIVED, LEFT, HEAD, TAIL, UNREADY, EVENTS, FREE_HOP,
 MADE, DECODING, DECODER_FRONT, DECODER_QUEUED, TARGET_PASSED, ALL_PASSED, HOPS, WIDE, WINDOW,
 KEPT, FREE_KEPT, LAST_CHAIN, LAW_LEFT, LAW_AT, LAW_DRAWN, N_WHOLE) = range(29)  # fmt: skip

# of the system, floats and whole numbers
(BEFORE, HALF_RTT, SPEED, OVERHEAD, BATCH_OVERHEAD, COPY_FIXED, COPY_RATE, MAX_WAIT,
 N_SYSTEM_FLOATS) = range(9)  # fmt: skip
(LINK, SERVER, N_GPUS, N_DECODERS, MAX_BATCH, QUEUE_LIMIT, DROP_EXPIRED, ON_GPU, TARGET, EVERYONE,
 REPLICATION, REQUESTS_0, REQUESTS_1, CONTENTION_0, CONTENTION_1, MAX_EVENTS, OWN, ONE_KEY,
 SHARED_DOWN, LAW, LAW_BLOCK, SERVICE_0, SERVICE_1, N_SYSTEM_WHOLE) = range(24)  # fmt: skip
FIFO_LINK, SHARED_LINK, CONTENDED_LINK = range(3)
PLAIN, SINGLE, TAKE_ALL, DYNAMIC, URGENT = range(5)
CONSTANT, IN_FILE, BY_SAMPLE = range(3)

# of a device
(P_FREE, P_WORK, SLOWDOWN, WEIGHT, MEAN, DEADLINE, SPREAD, BEGAN, OFFSET,
 N_DEVICE_FLOATS) = range(10)  # fmt: skip
(GROUP, WAY, CELL, KIND, LIMIT, COUNT, IN_FLIGHT, BEHIND, ROW_0, N_ROWS, KEY,
 SOURCE, BURSTING, FRAME, NEXT_TIME, TIMES_END, N_DEVICE_WHOLE) = range(17)  # fmt: skip
THINKS, PAUSES, COMES, CLUSTERS, BURSTS, FRAMES, REPLAYS = range(7)

# of a group's workload
G_SHAPE, G_SCALE, G_SHARE, G_EMPTY, G_PERIOD, G_JITTER, G_SYNC, G_MEAN = range(8)
G_ONCE, N_LOAD = 10, 12

# of a request in flight
(CREATED, D_START, D_END, L_START, L_END, S_START, S_END, SHARE, D_WAIT, L_WAIT, AIRTIME, C_WAIT,
 C_SERVICE, S_WAIT, S_SERVICE, NETWORK, AIR_BYTES, A_WAIT, N_BOOKED) = range(19)  # fmt: skip
# of its visit to the medium: on its way up, or (DOWN) its answer's on its way down
(ENTERED, T_START, T_END, T_ALONE, TAG, T_WORK, T_AFTER,
 N_SLOT_FLOATS) = range(N_BOOKED, N_BOOKED + 8)  # fmt: skip
DEVICE, ROW, NUMBER, NEXT, TURN, ACCESSES, TOTAL, FRAMES_EACH, DOWN, N_SLOT_WHOLE = range(10)

# of a request that has left: the first columns in all systems, the others where they are not 0;
# those of sim.request.COLUMNS that stand nowhere here are 0 in all that are played
RECORDED = (
    "device", "group", "outcome", "sample", "created_s", "deadline_s", "device_start_s",
    "device_end_s", "link_start_s", "link_end_s", "server_start_s", "server_end_s", "done_s",
    "payload_bytes", "air_bytes", "server_share_s", "correct", "device_wait_s", "link_wait_s",
    "airtime_s", "decoder_wait_s", "decoder_service_s", "server_wait_s", "server_service_s",
    "network_s",
)  # fmt: skip
RECORDED_TOO = ("answer_wait_s",)

# of a row, and of a row sent at a rate
(R_DEVICE, R_DECODE, R_PAYLOAD, R_TENSOR, R_CORRECT, R_SAMPLE, R_SENT, R_SERVER, R_ALONE,
 R_ANSWER, N_ROW) = range(11)  # fmt: skip
(W_AIRTIME, W_BYTES, W_AFTER, W_FRAMES, W_ACCESSES, W_DOWN_AIRTIME, W_DOWN_FRAMES, W_DOWN_ACCESSES,
 N_WAY) = range(9)  # fmt: skip

# of a station that contends: of device d number d, of the access point of cell c the c-th behind
FIRST, LAST, PLACE, N_RADIO = range(4)

# of a cell, floats and whole numbers
(C_FREE, C_WORK, C_BUSY, CLOCK, SINCE, PACE, WEIGHTS, DUE, UNSENT, ACCESS, STRETCH,
 N_CELL_FLOATS) = range(12)  # fmt: skip
ACTIVE, SENDER, TURNS, TIMER, FRESH, DRAWN, FLOWS, N_CELL_WHOLE = range(8)

# kinds of events; the code of one is kind << SHIFT | what it is about
SHIFT = 40
(ON_BIRTH, ON_START, ON_THOUGHT, ON_ARRIVAL, ON_DEVICE, ON_SENT, ON_SHARED, ON_AIR, ON_DECODED,
 ON_SERVED, ON_BATCH, ON_WAKE, ON_LATER, ON_HOP, ON_DONE, ON_REFUSED, ON_EXPIRED, ON_CORE,
 ON_ANSWER, ON_TARGET, ON_ALL, ON_FAILURE, ON_CARRIED, ON_PROPAGATED) = range(24)  # fmt: skip

# why the kernel comes back
REACHED, STOPPED, EMPTY, GROW, GROW_ROWS, GROW_CONTENTION, NO_TIME, NO_TAIL, BUDGET = range(9)
