"""The storefront as a visitor meets it.

shop.py order URL                 browse, fill the cart, order, verify the receipt
shop.py see URL SESSION ORDER     the order of an earlier visit
shop.py load URL pages|pictures   visitors until SIGTERM, who look at pictures too or not; then how many requests there
                                  were and which failed
"""

import http.client
import json
import re
import signal
import sys
import threading
import time
import urllib.parse

from castle import check, equal, say


class Visitor:
    """A browser as far as the shop cares: a session, connections that are kept, no retries."""

    def __init__(self, url, session=None):
        place = urllib.parse.urlsplit(url)
        self.host, self.port = place.hostname, place.port or 80
        self.session = session
        self.connection = None
        self.tasks = set()

    def ask(self, method, path, form=None):
        body = urllib.parse.urlencode(form) if form else None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        if self.session:
            headers["Cookie"] = f"storefront_session={self.session}"
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except Exception:
            self.connection.close()
            self.connection = None
            raise
        cookie = re.search(r"storefront_session=([0-9a-f]{32})", answer.headers.get("Set-Cookie", ""))
        if cookie:
            self.session = cookie[1]
        self.tasks.update(t.strip() for t in answer.headers.get("X-Storefront-Backend", "").split(",") if t.strip())
        return answer.status, text, answer.headers

    def page(self, path):
        status, text, _ = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path} answered {status}: {text[:200]!r}")
        return text.decode()

    def picture(self, product):
        status, bytes, headers = self.ask("GET", f"/pictures/{product}")
        if status != 200 or len(bytes) < 200 or not headers["Content-Type"].startswith("image/"):
            raise RuntimeError(f"GET /pictures/{product} answered {status}: {bytes[:200]!r}")

    def form(self, path, **fields):
        status, text, headers = self.ask("POST", path, fields)
        if status != 303:
            raise RuntimeError(f"POST {path} answered {status}: {text[:200]!r}")
        return headers["Location"]


def order(visitor):
    """Buys two things. The order's id."""
    goods = re.findall(r'<li class="card" data-product="([^"]+)"', visitor.page("/"))
    check(len(goods) >= 3, f"goods on the first page: {goods}")
    for product in goods[:2]:
        page = visitor.page(f"/products/{product}")
        check('id="add-to-cart"' in page, "the form that adds to the cart")
        equal(visitor.form("/cart/add", product=product, quantity="2"), "/cart", "after adding")
    check('id="cart-total"' in visitor.page("/cart"), "the cart's total")
    form = visitor.page("/checkout")
    name = re.search(r'name="checkout" value="([^"]+)"', form)[1]
    place = visitor.form("/checkout", checkout=name, name="Ada <b>", email="ada@example.com", address="1 Keep Street")
    # The same form sent twice is one order.
    equal(visitor.form("/checkout", checkout=name, name="Ada <b>", email="ada@example.com", address="1 Keep Street"), place,
          "the same checkout again")
    return place.rsplit("/", 1)[1]


def verified(visitor, order_id):
    page = visitor.page(f"/orders/{order_id}")
    check(f'data-order="{order_id}"' in page and "Ada &lt;b&gt;" in page, "the order's page")
    check(f'data-order="{order_id}"' in visitor.page("/orders"), "the order in the history")
    check('data-valid="true"' in visitor.page(f"/receipts/{order_id}/verify"), "the receipt's signature verifies")


def load(url, pictures):
    ending = threading.Event()
    # Who started us may have had its signals blocked, as the threads of a Swift program have.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    lock = threading.Lock()
    total, failures, slowest, tasks = [0], [], [0.0], set()

    def measured(what, deed):
        began = time.monotonic()
        try:
            result = deed()
        except Exception as error:
            with lock:
                total[0] += 1
                failures.append(f"{time.strftime('%H:%M:%S')} {what}: {type(error).__name__} {error}")
            return None
        with lock:
            total[0] += 1
            slowest[0] = max(slowest[0], time.monotonic() - began)
        return result

    def work(number):
        visitor = Visitor(url)
        turn = 0
        while not ending.is_set():
            turn += 1
            page = measured("GET /", lambda: visitor.page("/")) or ""
            goods = re.findall(r'<li class="card" data-product="([^"]+)"', page)
            if goods:
                product = goods[turn % len(goods)]
                measured("GET product", lambda: visitor.page(f"/products/{product}"))
                if pictures:
                    measured("GET picture", lambda: visitor.picture(product))
                measured("POST cart", lambda: visitor.form("/cart/add", product=product, quantity="1"))
                form = measured("GET checkout", lambda: visitor.page("/checkout")) or ""
                name = re.search(r'name="checkout" value="([^"]+)"', form)
                if name and turn % 3 == 0:
                    measured("POST order", lambda: visitor.form(
                        "/checkout", checkout=name[1], name="Load", email="load@example.com", address="2 Keep Street"))
            with lock:
                tasks.update(visitor.tasks)
                if number == 0 and turn == 1:
                    say(running=True)
            ending.wait(0.03)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(requests=total[0], failed=len(failures), seconds=round(time.monotonic() - began, 1), failures=failures[:20],
        slowest=round(slowest[0], 3), tasks=sorted(tasks))


if __name__ == "__main__":
    mode, url = sys.argv[1:3]
    if mode == "order":
        visitor = Visitor(url)
        placed = order(visitor)
        verified(visitor, placed)
        visitor.picture(re.findall(r'data-product="([^"]+)"', visitor.page("/"))[0])
        say(order=placed, session=visitor.session, tasks=sorted(visitor.tasks))
    elif mode == "see":
        verified(Visitor(url, sys.argv[3]), sys.argv[4])
        say(order=sys.argv[4])
    else:
        load(url, sys.argv[3] == "pictures")
