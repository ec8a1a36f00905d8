"""writes.py write FILE: writes through several services until the endpoint is gone, noting each acknowledged write.
writes.py verify FILE: finds every write that was noted."""

import os
import sys
import threading

from castle import check, client, say

mode, path = sys.argv[1:]


def services():
    return dict(secrets=client("secretsmanager"), s3=client("s3"), iam=client("iam"), logs=client("logs"))


def write():
    notes = open(path, "a", buffering=1)
    lock = threading.Lock()

    def note(*words):
        with lock:
            notes.write(" ".join(words) + "\n")

    def work(name):
        c = services()
        try:
            # Names that a second round does not meet again.
            name = f"{os.getpid()}-{name}"
            c["secrets"].create_secret(Name=name, SecretString="0")
            c["s3"].create_bucket(Bucket=f"bucket-{name}")
            for number in range(1, 10_000):
                c["secrets"].put_secret_value(SecretId=name, SecretString=str(number))
                note("secret", name, str(number))
                c["s3"].put_object(Bucket=f"bucket-{name}", Key=str(number), Body=str(number).encode() * 50)
                note("object", f"bucket-{name}", str(number))
                c["iam"].create_user(UserName=f"user-{name}-{number}")
                note("user", f"user-{name}-{number}", "-")
        except Exception as error:
            # The control plane was killed: what was under way was not acknowledged, and may be there or not.
            print(f"{name}: {type(error).__name__}", file=sys.stderr)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def verify():
    c = services()
    latest, counts, lost = {}, {}, []
    for line in open(path):
        kind, name, value = line.split()
        counts[kind] = counts.get(kind, 0) + 1
        if kind == "secret":
            latest[name] = int(value)
        elif kind == "object":
            body = c["s3"].get_object(Bucket=name, Key=value)["Body"].read()
            if body != value.encode() * 50:
                lost.append(line)
        else:
            c["iam"].get_user(UserName=name)
    for name, value in latest.items():
        # One more write may have got through without its answer.
        if int(c["secrets"].get_secret_value(SecretId=name)["SecretString"]) not in (value, value + 1):
            lost.append(f"secret {name} {value}")
    check(not lost, f"lost: {lost}")
    say(verified=sum(counts.values()), **counts)


write() if mode == "write" else verify()
