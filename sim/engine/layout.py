"""Layout of the compiled engine's arrays: what stands in which column.

Numba freezes these numbers into the kernel; both sides take them from here alone.
"""

# scalars, floats
(NOW, ARRIVAL_SUM, LEFT_SUM, GPU_FREE, GPU_WORK, GPU_BUSY, DECODER_WORK, DECODER_BUSY, AGAIN,
 TARGET_AT, ALL_AT, LAST_SHARE, MEMORY_FREE, N_FLOATS) = range(14)  # fmt: skip
# scalars, whole numbers
(ORDER, HEAP, FRONT, QUEUED, FREE, ROWS, ARRIVED, LEFT, HEAD, TAIL, UNREADY, EVENTS, FREE_HOP,
 MADE, DECODING, DECODER_FRONT, DECODER_QUEUED, TARGET_PASSED, ALL_PASSED, HOPS, SHORT, WINDOW,
 KEPT, FREE_KEPT, LAST_CHAIN, LAW_LEFT, LAW_AT, LAW_DRAWN, SIZES, CHANGE, CHANGES,
 SILENCES, ALL_CHANGES, FREE_FRAME, SPARE_FRAMES, DOWN_NOW, REPAIR_FIRST, REPAIR_LAST,
 FAILURE, FAILURES_DRAWN, WAKING, IS_DUE, STEPS, STEPS_MADE, MEMORY_FIRST, MEMORY_LAST, ASKING,
 N_WHOLE) = range(48)  # fmt: skip

# of the system, floats and whole numbers
(BEFORE, HALF_RTT, SPEED, OVERHEAD, BATCH_OVERHEAD, COPY_FIXED, COPY_RATE, MAX_WAIT,
 GRANT, RTT, COHERENCE, FRAME_AIRTIME, MTU_BYTES, HEADER_BYTES, THROUGH, DEEP, SLOT,
 BANDWIDTH, ACCESS_LIMIT, MEAN_UP, REPAIR, MEMORY, N_SYSTEM_FLOATS) = range(23)  # fmt: skip
(LINK, SERVER, N_GPUS, N_DECODERS, MAX_BATCH, QUEUE_LIMIT, DROP_EXPIRED, ON_GPU, TARGET,
 REPLICATION, REQUESTS_0, REQUESTS_1, CONTENTION_0, CONTENTION_1, MAX_EVENTS, OWN, ONE_KEY,
 SHARED_DOWN, LAW, LAW_BLOCK, SERVICE_0, SERVICE_1, N_CELLS, SPREADS, RADIO_CHANNEL, OWN_QUEUES,
 EXACT, RATE, RAYLEIGH, MAX_RETRIES, VARIES, VARYING_ANSWERS, LINK_0, LINK_1, AGGREGATION,
 DOWN_FIXED, FAILS, RETRIES_LOST, FAILURES_0, FAILURES_1, CHURNS, PRESENCE_0, PRESENCE_1,
 MOST_FRAMES, BURST, ADAPTS, MAX_TOKENS, REJECTS, N_SYSTEM_WHOLE) = range(49)  # fmt: skip
FIFO_LINK, SHARED_LINK, CONTENDED_LINK, QUEUE_LINK, SCHEDULED_LINK = range(5)
PLAIN, SINGLE, TAKE_ALL, DYNAMIC, URGENT, CONTINUOUS = range(6)
CONSTANT, IN_FILE, BY_SAMPLE = range(3)
FIXED, BY_SCHEME, OUTAGE, SHANNON = range(4)

# of a device
P_FREE, P_WORK, SLOWDOWN, BEGAN, ROW_U, NEXT_U, N_DEVICE_FLOATS = range(7)
SPREAD = OFFSET = NEXT_U  # closed loops, periodic ones, Poisson's: a device is one of them
(GROUP, COUNT, IN_FLIGHT, BEHIND, GAPS, LIFE, NEXT_TIME, TIMES_END, N_DEVICE_WHOLE) = range(9)
BURSTING = FRAME = NEXT_TIME  # bursts, periodic ones, replays
# of a group's devices
WEIGHT, MEAN, DEADLINE, N_GROUP_FLOATS = range(4)
KIND, LIMIT, ROW_0, N_ROWS, TALKS, N_GROUP_WHOLE = range(6)
THINKS, PAUSES, COMES, CLUSTERS, BURSTS, FRAMES, REPLAYS = range(7)

# of what a device is to the link: a group's, or each device's own; the ratio in dB for schemes,
# as a number over the gap for capacities
BYTE_S, DOWN_BYTE_S, RATE_BPS, RATIO, TOGETHER, DOWN_TOGETHER, N_WAY = range(7)
# of a device whose channel fades or loses frames
GAIN, N_FADE_FLOATS = range(2)
BLOCK, LINK_DRAWN, LINE_FIRST, LINE_LAST, N_FADE_WHOLE = range(5)

# of a group's churn, none: NaN
C_JOIN, C_LEAVE, C_BACK, C_MEAN_UP, C_MEAN_DOWN, N_CHURN = range(6)
# of a device where some come and go: seconds it was there until it left last, and since when it is
THERE_S, THERE_SINCE, N_STAY = range(3)
STAYS_DRAWN, OPEN_FIRST, OPEN_LAST, FIRST_TIME, N_MEMBER = range(5)
# of a request, among those of its device that are in flight
YOUNGER, OLDER, N_MATE = range(3)

# of a group's policy: its rule, its first option and how many it has, how it adapts
(RULE, OPTION_0, N_OPTIONS, WITHIN, MARGIN, PROBE_AFTER, PROBE, SMOOTHING, FADES_IN,
 BY_TOKEN, N_POLICY) = range(11)  # fmt: skip
TAKES_FIRST, TAKES_FASTEST, SEARCHES = range(3)
# of an option, which is a source of a group: its mean costs, and its rows
O_DEVICE, O_PAYLOAD, O_SERVER, O_REMOTE, O_ROW, O_ROWS, N_OPTION = range(7)
# of a device that chooses: what it has seen and when, and what it holds
(RATE_SEEN, RATE_AT, WAIT_SEEN, BETTER_SINCE, SENT_AT, DWELL, HELD, N_CHANGED, N_PROBED,
 N_MIND) = range(10)  # fmt: skip

# of a group's workload
G_SHAPE, G_SCALE, G_SHARE, G_EMPTY, G_PERIOD, G_JITTER, G_SYNC, G_MEAN = range(8)
G_ONCE, N_LOAD = 10, 12

# of a group's sessions: where they end
M_TOKENS, M_FIRST, M_LATER, M_SESSION, M_MEMORY, N_LIMIT = range(6)
# of a session: its first row, how many it has, how many steps: those behind its rows are the last
F_ROW, F_ROWS, F_STEPS, N_SESSION = range(4)
# of a recorded time: which session it asks for (-1: one is drawn), and of how many steps at most
A_SESSION, A_STEPS, N_ASKED = range(3)
# of a source: what a batch takes, and of what it is made
I_LAW, I_SLOPE, I_RATIO, I_KNOT, I_KNOTS, N_ITERATION = range(6)
BY_NUMBER, STEPS_ALIKE, STEPS_SIZED, STEPS_TIMED = range(4)

# of a request in flight
(CREATED, D_START, D_END, L_START, L_END, S_START, S_END, SHARE, D_WAIT, L_WAIT, AIRTIME, C_WAIT,
 C_SERVICE, S_WAIT, S_SERVICE, NETWORK, AIR_BYTES, A_WAIT, GRANT_WAIT, RESEND, SILENCE,
 REPAIR_WAIT, ERASED, N_BOOKED) = range(24)  # fmt: skip
# of its visit to the medium: on its way up, or (DOWN) its answer's on its way down
(ENTERED, T_START, T_END, T_ALONE, TAG, T_WORK, T_FIXED, T_AFTER, T_LEFT, AFTER_S, RUN_GAIN,
 RUN_RESENT, SERVICE, DUE_AT, N_SLOT_FLOATS) = range(N_BOOKED, N_BOOKED + 15)  # fmt: skip
(DEVICE, ROW, NUMBER, NEXT, TURN, ACCESSES, TOTAL, SIZE, DOWN, OUTCOME, PLACE_NOW, FRESH_FRAME,
 OLD_FRAMES, RUN_OLD, RUN_FRESH, STARTED, RESENT, RETRIES, INNER,
 NEXT_IN_LINE, N_SLOT_WHOLE) = range(21)  # fmt: skip
# where it waits: for an event of its own (also in a batch, on a core and for a repair), or at a
# place that has to be told when it leaves; GONE: it has left, perhaps before its event
(UNDER_WAY, IN_BATCH, IN_CORE, FOR_REPAIR, AT_MEDIUM, IN_LINE, AT_SERVER, AT_CORES, FOR_MEMORY,
 FOR_EVER, GONE) = range(11)  # fmt: skip
NOT_IN_LINE = -2

# of a session in flight, whose step has the slot: sums over the steps behind it, bytes that it has
# on either side, its own stamps, and the number that draws it from any source (WHICH); STEP: the
# step under way, -1 before the first; LENGTH: its steps, of any source's at most MOST_STEPS
(BORN, FIRST_START, ROOM_WAIT, DEVICE_HELD, SERVER_HELD, SUM_PAYLOAD, SUM_AIR, SUM_AIRTIME,
 SUM_SHARE, WHICH, N_TALK_FLOATS) = range(11)  # fmt: skip
(SESSION, LENGTH, MOST_STEPS, STEP, STEP_NUMBER, TOKENS, ENDING, SO_FAR, SUM_RESENT, SUM_RETRIES,
 N_TALK_WHOLE) = range(11)  # fmt: skip

# of a frame that has been lost: of its payload the next one, how often, whether it is the last
NEXT_FRAME, TRIES, IS_LAST, N_FRAME = range(4)

# of a request that has left: the first columns in all systems, the others where they are not 0;
# those of sim.request.COLUMNS that stand nowhere here are 0 in all that are played
RECORDED = (
    "device", "group", "outcome", "sample", "created_s", "deadline_s", "device_start_s",
    "device_end_s", "link_start_s", "link_end_s", "server_start_s", "server_end_s", "done_s",
    "payload_bytes", "air_bytes", "server_share_s", "correct", "device_wait_s", "link_wait_s",
    "airtime_s", "decoder_wait_s", "decoder_service_s", "server_wait_s", "server_service_s",
    "network_s",
)  # fmt: skip
RECORDED_TOO = (
    "answer_wait_s", "link_grant_s", "link_resend_s", "link_outage_s", "repair_wait_s", "erased",
    "resent_frames", "retries", "choice",
)  # fmt: skip
RECORDED_OF_SESSIONS = ("tokens", "ending", "memory_wait_s")

# of a row; R_MEAN: of server seconds that are drawn, 0 where they are the row's own
(R_DEVICE, R_DECODE, R_PAYLOAD, R_TENSOR, R_CORRECT, R_SAMPLE, R_SENT, R_SERVER, R_ALONE,
 R_ANSWER, R_FRAMES, R_AIR, R_DOWN_FRAMES, R_DOWN_AIR, R_LAST, R_THROUGH, R_TOKENS, R_KV,
 R_ON_DEVICE, R_ON_SERVER, R_MEAN, R_SOURCE, R_KEY, R_CHOICE, N_ROW) = range(25)  # fmt: skip

# of a station that contends: of device d number d, of the access point of cell c the c-th behind;
# of a device's own queue on a scheduled link, up number d, down behind all of those; IN_AIR: its
# transfers on the medium, both ways
FIRST, LAST, PLACE, IN_AIR, N_RADIO = range(5)

# of a cell, floats and whole numbers
(C_FREE, C_WORK, C_BUSY, CLOCK, SINCE, PACE, WEIGHTS, DUE, UNSENT, ACCESS, STRETCH, C_SPEED,
 N_CELL_FLOATS) = range(13)  # fmt: skip
(ACTIVE, SENDER, TURNS, TIMER, FRESH, DRAWN, FLOWS, SILENT, ASKS, Q_FIRST, Q_LAST, LANE_0, N_LANES,
 USERS, CONTENDERS, N_CELL_WHOLE) = range(16)  # fmt: skip
# of the transfers of users with the same mean ratio in a cell
L_CLOCK, L_PACE, N_LANE_FLOATS = range(3)

# of a change of the medium's speed, and of a silence
CHANGES_AT, CHANGES_TO, N_CHANGE = range(3)
SILENT_FROM, SILENT_BEFORE, SILENT_UNTIL, N_SILENCE = range(4)

# kinds of events; the code of one is kind << SHIFT | what it is about
SHIFT = 40
(ON_START, ON_THOUGHT, ON_ARRIVAL, ON_BIRTH, ON_PRESENCE, ON_JOIN, ON_LEAVE,
 ON_SHARED, ON_AIR, ON_QUEUE, ON_SCHEDULED, ON_CHANGE, ON_BATCH, ON_WAKE, ON_WATCH, ON_FAILURE,
 ON_REPAIR, ON_REPAIRED, ON_LATER, ON_HOP, ON_TARGET, ON_ALL, ON_ENDLESS,
 ON_DEVICE, ON_SENT, ON_DECODED, ON_SERVED, ON_DONE, ON_REFUSED, ON_CORE, ON_ANSWER, ON_CARRIED,
 ON_PROPAGATED, ON_BLOCK, ON_HEARD, ON_LINE, ON_INNER, ON_UP, ON_GRANTED,
 ON_ROOM) = range(40)  # fmt: skip
# of a device's workload, and all of a device; those of a request begin
LAST_OF_LIFE, LAST_OF_DEVICE, FIRST_OF_REQUEST = ON_ARRIVAL, ON_LEAVE, ON_DEVICE

# of a belt, and which kinds of events go onto which: those whose times mostly grow
# (sim.engine.belts); -1: none
B_FRONT, B_COUNT, N_BELT = range(3)
N_BELTS = 4
_BELTED = {
    ON_DEVICE: 0, ON_SENT: 1, ON_AIR: 1, ON_SHARED: 1, ON_QUEUE: 1, ON_SCHEDULED: 1, ON_BATCH: 2,
    ON_SERVED: 3, ON_ANSWER: 3, ON_PROPAGATED: 3,
}  # fmt: skip
BELT_OF = tuple(_BELTED.get(kind, -1) for kind in range(64))

# why the kernel comes back
(GOES_ON, REACHED, STOPPED, EMPTY, GROW, GROW_ROWS, GROW_STEPS, IS_SHORT, NO_TIME,
 NO_TAIL, BUDGET) = range(11)  # fmt: skip
# of what it is short (SHORT, added up): room for who is on the air, changes of speed, lost frames
OF_PLACES, OF_CHANGES, OF_FRAMES = 1, 2, 4

# what follows in the same instant
(NOTHING, CREATE, RUN, SEND, MOVE, ENTER, DECODE, SERVE, ANSWER, DONE) = range(10)

# outcomes (sim.request)
ANSWERED, BUSY, REJECTED, EXPIRED, HAS_LEFT, SERVER_LOST, LINK_LOST = range(1, 8)
# how sessions end (sim.request)
OF_MEMORY, AT_FIRST, AT_TOKEN, AT_SESSION = range(1, 5)
