"""What a timeline of `nc --trace-json` comes to: time in each kind of slice, and how high each curve goes.

usage: timeline.py FILE
"""

import json
import sys

# anchor: sums
with open(sys.argv[1]) as file:
    events = json.load(file)

spent, highest, begun = {}, {}, None
for event in events:
    match event["ph"]:
        case "B":  # a slice begins: a wait, or somebody's wake
            begun = event
        case "E":  # and ends; the loop is one thread, so it is the one that has begun last
            took = event["ts"] - begun["ts"]
            spent[begun["name"]] = spent.get(begun["name"], 0) + took
        case "X":  # a call, with what it has taken
            spent[event["name"]] = spent.get(event["name"], 0) + event["dur"]
        case "C":  # a point of a curve
            holds = event["args"]["holds"]
            highest[event["name"]] = max(holds, highest.get(event["name"], 0))
# end: sums

for name, took in sorted(spent.items()):
    print(f"{took / 1e6:.4f} s {name}")
for name, holds in sorted(highest.items()):
    print(f"{name} holds {holds} bytes at most")
