"""paced.py PORT PATH CONNECTIONS RATE SECONDS [BYTES]: requests at set times, RATE a second in all, with a body of BYTES.

Prints JSON: how many failed, and how many milliseconds each took from when it should have been sent. h2load's --rps does not do
for long answers over HTTP/1.1: with answers that come in large pieces it tells one in a hundred as a whole interval longer than
it was, for relays without code as for the Gate.
"""
import json, socket, sys, threading, time

port, path, connections, rate, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
body = b"x" * int(sys.argv[6]) if len(sys.argv) > 6 else b""
request = (f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: shop.test\r\n"
           + (f"Content-Length: {len(body)}\r\n" if body else "") + "\r\n").encode() + body
times, failures = [], []


def answer(connection, room):
    """Reads one answer, which has a length. Whether it is not the connection's last."""
    count = connection.recv_into(room)
    end = room.find(b"\r\n\r\n", 0, count)
    head = bytes(room[:end]).lower()
    if not head.startswith(b"http/1.1 200"):
        raise OSError(head)
    left = int(head.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0]) - (count - end - 4)
    while left > 0:
        count = connection.recv_into(room)
        if count == 0:
            raise OSError("cut off")
        left -= count
    return b"\r\nconnection: close" not in head


def client(at, end):
    room = bytearray(256 << 10)
    connection = None
    while at < end:
        time.sleep(max(0, at - time.monotonic()))
        try:
            if connection is None:
                connection = socket.create_connection(("127.0.0.1", port), 10)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request)
            connection = connection if answer(connection, room) else None
            times.append((time.monotonic() - at) * 1000)
        except OSError as error:
            failures.append(error)
            connection = None
        at += connections / rate


start = time.monotonic() + 0.05
clients = [threading.Thread(target=client, args=(start + number / rate, start + seconds)) for number in range(connections)]
for each in clients:
    each.start()
for each in clients:
    each.join()
print(json.dumps({"times": times, "failures": len(failures)}))
