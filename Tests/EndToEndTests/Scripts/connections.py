"""One connection's life: requests sent ahead, a half-closed socket, old HTTP, a whole URL, bodies that outrun the server."""

import os
import socket

from botocore.config import Config

from castle import check, client, environment, equal, say

port = int(environment("AWS_ENDPOINT_URL").rsplit(":", 1)[1])
host = f"Host: 127.0.0.1:{port}\r\n".encode()
health = b"GET /_castle/health HTTP/1.1\r\n" + host + b"\r\n"


def connect():
    raw = socket.create_connection(("127.0.0.1", port))
    raw.settimeout(20)
    return raw


def to_the_end(raw):
    said = b""
    while chunk := raw.recv(65536):
        said += chunk
    return said


# Many requests ahead, more than the server keeps waiting, each answered once and in order; the last one closes.
with connect() as raw:
    raw.sendall(health * 300 + b"GET /_castle/health HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    said = to_the_end(raw)
    equal(said.count(b"HTTP/1.1 200 "), 301, "requests sent ahead")
    equal(said.lower().count(b"connection: close"), 1, "the last answer closes")

# In pieces, byte by byte.
with connect() as raw:
    for at in range(len(health)):
        raw.sendall(health[at:at + 1])
    check(raw.recv(65536).startswith(b"HTTP/1.1 200 "), "a request byte by byte")

# A client that is done sending still gets its answer.
with connect() as raw:
    raw.sendall(health)
    raw.shutdown(socket.SHUT_WR)
    said = to_the_end(raw)
    check(said.startswith(b"HTTP/1.1 200 ") and b"ready" in said, f"half closed: {said!r}")

# HTTP/1.0 without keep-alive: answered and closed. A whole URL, as to a proxy. HEAD: a head alone.
with connect() as raw:
    raw.sendall(b"GET /_castle/health HTTP/1.0\r\n" + host + b"\r\n")
    check(b" 200 " in to_the_end(raw).split(b"\r\n")[0], "HTTP/1.0")
with connect() as raw:
    raw.sendall(f"GET http://127.0.0.1:{port}/_castle/health HTTP/1.1\r\n".encode() + host + b"Connection: close\r\n\r\n")
    check(to_the_end(raw).startswith(b"HTTP/1.1 200 "), "a whole URL")
with connect() as raw:
    raw.sendall(b"HEAD /_castle/health HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    said = to_the_end(raw)
    check(said.startswith(b"HTTP/1.1 200 ") and said.endswith(b"\r\n\r\n"), f"HEAD: {said!r}")

# What comes after good requests and is none: those are answered first.
with connect() as raw:
    raw.sendall(health * 2 + b"\x00nonsense\r\n\r\n")
    said = to_the_end(raw)
    equal((said.count(b"HTTP/1.1 200 "), said.count(b"HTTP/1.1 400 ")), (2, 1), "nonsense after two requests")

# A body that is refused is not taken for the next request.
with connect() as raw:
    raw.sendall(b"PUT /b/k HTTP/1.1\r\n" + host + b"Authorization: nonsense\r\nContent-Length: 500\r\n\r\n" + health * 3)
    said = to_the_end(raw)
    equal((said.count(b"HTTP/1.1 4"), said.count(b"HTTP/1.1 200 ")), (1, 0), "a refused body")

# Cut in the middle of a body: nobody is held up, and nothing is stored.
s3 = client("s3", config=Config(signature_version="s3v4"))
s3.create_bucket(Bucket="connections")
url = s3.generate_presigned_url("put_object", Params={"Bucket": "connections", "Key": "cut"})
path = url.split(f":{port}", 1)[1].encode()
with connect() as raw:
    raw.sendall(b"PUT " + path + b" HTTP/1.1\r\n" + host + b"Content-Length: 1000\r\n\r\nbegun")
    raw.shutdown(socket.SHUT_WR)
    said = to_the_end(raw)
    check(b"IncompleteBody" in said, f"a cut body is told: {said!r}")
equal(s3.list_objects_v2(Bucket="connections")["KeyCount"], 0, "objects after a cut body")

# More than waits in memory, both ways; with 100-continue, which boto3 asks for.
body = os.urandom(24 << 20)
s3.put_object(Bucket="connections", Key="large", Body=body)
equal(s3.get_object(Bucket="connections", Key="large")["Body"].read() == body, True, "a large object comes back")

# Values from callers do not end a header's line.
with connect() as raw:
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "connections", "Key": "large", "ResponseContentType": "a/b\r\nx-injected: yes"})
    raw.sendall(
        b"GET " + url.split(f":{port}", 1)[1].encode() + b" HTTP/1.1\r\n" + host + b"Range: bytes=0-9\r\nConnection: close\r\n\r\n")
    said = to_the_end(raw)
    head = said.split(b"\r\n\r\n")[0].lower()
    check(head.startswith(b"http/1.1 206") and b"\r\nx-injected" not in head, f"a header's value: {said!r}")
say(ok=True)
