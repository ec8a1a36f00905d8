"""The endpoint's one port: plain and TLS, health, and who is not let through: other sites, other names."""

import http.client
import json
import socket
import ssl

from castle import check, client, environment, equal, say

port = int(environment("AWS_ENDPOINT_URL").rsplit(":", 1)[1])
token = environment("CASTLE_DASHBOARD").rsplit("token=", 1)[1]


def ask(method="GET", path="/_castle/health", headers=None, tls=False, body=None):
    context = ssl._create_unverified_context()
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        if tls else http.client.HTTPConnection("127.0.0.1", port, timeout=10))
    connection.putrequest(method, path, skip_host=True)
    headers = {"Host": f"127.0.0.1:{port}"} | (headers or {})
    if body is not None:
        headers["Content-Length"] = str(len(body))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


# Both kinds of connection on one port, also one after the other and at once.
for tls in (False, True, False, True):
    status, body = ask(tls=tls)
    equal((status, json.loads(body)["status"]), (200, "ready"), f"health, TLS {tls}")
secure = client("sts", endpoint_url=f"https://127.0.0.1:{port}", verify=False)
equal(secure.get_caller_identity()["Account"], "000000000000", "the identity over TLS")

# A client that says nothing holds nobody up.
silent = socket.create_connection(("127.0.0.1", port))
equal(ask()[0], 200, "health beside a silent client")
silent.close()

# A web page in somebody's browser is not the owner.
for what, headers in {
    "a foreign origin": {"Origin": "http://evil.example"},
    "a page on another name of this machine": {"Origin": "http://evil.localhost:9"},
    "a sandboxed page": {"Origin": "null"},
    "a cross-site fetch": {"Sec-Fetch-Site": "cross-site"},
    "a name that points here": {"Host": "evil.example"},
    "a name that only looks like ours": {"Host": f"127.0.0.1.evil.example:{port}"},
}.items():
    for path in ("/_castle/health", "/", "/_castle/reset"):
        method = "POST" if path.endswith("reset") else "GET"
        status, body = ask(method, path, headers)
        equal(status, 403, f"{what} at {path}: {body!r}")
for name in ("localhost", f"localhost:{port}", f"bucket.s3.localhost:{port}", f"[::1]:{port}", "kms.us-east-1.amazonaws.com"):
    equal(ask(headers={"Host": name})[0], 200, f"the Host {name}")

# Castle's own paths open with the token alone.
for path in ("/_castle/state", "/_castle/stack?name=x", "/_castle/logs"):
    equal(ask(path=path)[0], 401, f"{path} without the token")
    equal(ask(path=path, headers={"X-Castle-Token": "0" * 32})[0], 401, f"{path} with a wrong token")
equal(ask(path="/_castle/state", headers={"X-Castle-Token": token})[0], 200, "the state with the token")
equal(ask("POST", "/_castle/stop", body=b"")[0], 401, "stop without the token")

# What is no request at all.
for garbage in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"):
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.settimeout(10)
        raw.sendall(garbage)
        answer = raw.recv(200)
        check(not answer or b" 400 " in answer.split(b"\r\n")[0] or b" 505 " in answer.split(b"\r\n")[0], f"{garbage!r}: {answer!r}")
equal(ask()[0], 200, "health at the end")
say(ok=True)
