"""Does one job after the other: turns words round."""

import os

from resp import ask

while True:
    _, job = ask("BRPOP", "jobs", "0")
    where, words = job.split(" ", 1)
    ask("SET", "result" + where, os.environ["PREFIX"] + words[::-1])
