"""Kills workers that get no processor before the killer has asked the kernel the next question, so that a dying worker takes it. Tells what was answered."""
import collections, errno, glob, json, os, sys, time

mount, registry, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
processor = {min(os.sched_getaffinity(0))}
os.sched_setaffinity(0, processor)
answers = collections.Counter()


def serving():
    try:
        with open(glob.glob(os.path.join(registry, "*.mount"))[0]) as file:
            return json.load(file)["workerPid"]
    except (IndexError, ValueError, OSError):
        return 0


killed = 0
for i in range(rounds):
    limit = time.monotonic() + 20
    while (worker := serving()) in (0, killed):
        assert time.monotonic() < limit, "no other worker serves"
        time.sleep(0.01)
    # All its threads are to wait for requests.
    time.sleep(0.15)
    for thread in os.listdir(f"/proc/{worker}/task"):
        try:
            os.sched_setaffinity(int(thread), processor)
            os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
        except ProcessLookupError:
            pass
    killed = worker
    os.kill(worker, 9)
    try:
        os.stat(os.path.join(mount, f"none-{i}"))
        answers["found"] += 1
    except OSError as e:
        answers[errno.errorcode[e.errno]] += 1
print(json.dumps(answers))
