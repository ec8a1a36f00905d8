"""websocket.py CA: WebSocket's own client reaches its own server through a load balancer, with TLS and without."""

import concurrent.futures
import http
import socket
import ssl
import sys
import threading

from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve

from castle import Front, check, equal, issued, say

PORTS = {"ws": 8470, "wss": 8471}
AT_ONCE = 50
together = threading.Barrier(AT_ONCE, timeout=30)


def talk(connection):
    for message in connection:
        match message:
            case "leave":
                return connection.close(4001, "as you wish")
            case "break":
                return connection.socket.shutdown(socket.SHUT_RDWR)
            case "meet":
                together.wait()
            case "who":
                message = connection.request.headers["X-Forwarded-Proto"] + " " + str(connection.subprotocol)
        connection.send(message)


def health(connection, request):
    if request.path == "/health":
        return connection.respond(http.HTTPStatus.OK, "well\n")
    if request.path == "/closed":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not here\n")


def look(opened, scheme):
    with opened("/chat", subprotocols=["other", "chat"]) as connection:
        connection.send("who")
        proto = {"ws": "http", "wss": "https"}[scheme]
        equal(connection.recv(timeout=20), f"{proto} chat", "the target knows the scheme and the subprotocol")
        for message in ["", "caf\u00e9", b"\x00\xff", "x" * 1_000_000, bytes(range(256)) * 4000]:
            connection.send(message)
            check(connection.recv(timeout=20) == message, f"a message of {len(message)} comes back")
        connection.send(["in ", "three ", "pieces"])
        equal(connection.recv(timeout=20), "in three pieces", "a message in fragments")
        check(connection.ping().wait(20), "a ping is answered")
        for number in range(500):
            connection.send(str(number))
        equal([connection.recv(timeout=20) for _ in range(500)], [str(number) for number in range(500)], "their order")

    def closed(word, expected):
        with opened("/chat") as connection:
            connection.send(word)
            try:
                connection.recv(timeout=20)
            except expected as error:
                return error
        sys.exit(f"not closed: {word}")

    received = closed("leave", ConnectionClosedError).rcvd
    equal((received.code, received.reason), (4001, "as you wish"), "the server's goodbye")
    check(closed("break", ConnectionClosedError).rcvd is None, "a server that breaks off says no goodbye")
    connection = opened("/chat")
    connection.close(1001, "going")
    equal(connection.close_code, 1001, "the client's goodbye is answered")
    try:
        opened("/closed")
        sys.exit("opened what the server refuses")
    except InvalidStatus as error:
        equal((error.response.status_code, error.response.body), (403, b"not here\n"), "the server's refusal")

    def meet(_):
        with opened("/chat") as connection:
            connection.send("meet")
            return connection.recv(timeout=40)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        equal(list(pool.map(meet, range(AT_ONCE))), ["meet"] * AT_ONCE, "so many at the same time")


def main(authority):
    with serve(
        talk, "127.0.0.1", 0, process_request=health, max_size=2 << 20,
        select_subprotocol=lambda _, offered: "chat" if "chat" in offered else None,
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        front = Front("websocket")
        group = front.group(server.socket.getsockname()[1], HealthCheckPath="/health")
        front.listener(PORTS["ws"], group)
        front.listener(PORTS["wss"], group, issued("websocket.test")[0])
        front.until_healthy()
        address = front.address
        for scheme, port in PORTS.items():
            context = ssl.create_default_context(cafile=authority) if scheme == "wss" else None

            def opened(path, **more):
                return connect(
                    f"{scheme}://www.websocket.test:{port}{path}", ssl=context, max_size=2 << 20,
                    sock=socket.create_connection((address, port), timeout=20), **more)

            look(opened, scheme)
        front.end()
        server.shutdown()
    say(at_once=AT_ONCE)


main(sys.argv[1])
