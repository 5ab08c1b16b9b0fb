"""How many Raspberry Pis one server core serves within 100 ms, and the curve behind it."""

import splitfleet as sf

case = sf.case("scenes", "stage3/ecsq", device="raspberry_pi_4", link="wifi")
answer = case.plan(p95_s=0.1, accuracy_drop_pp=1)
print(answer)
curve = answer.to_pandas()
axes = curve.plot(x="n", y=["value", "lo", "hi"], style=["o-", ":", ":"])
axes.axhline(answer["limit"], color="black")
axes.set(xlabel="devices", ylabel=f"{answer['column']}")
axes.figure.savefig("plan_curve.png")
