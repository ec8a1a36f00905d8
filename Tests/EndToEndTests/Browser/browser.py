#!/usr/bin/env python3
"""Drives headless Chromium over its DevTools protocol, on two pipes: nothing but the standard library is needed.

    browser.py URL [--width N] [--height N] [--dark] [--timeout SECONDS]

Reads commands from standard input, one JSON object a line, and answers each with one line:

    {"wait": "document.querySelector('…') !== null"}   until the expression is true  → {"value": true}
    {"evaluate": "document.title"}                       the expression's value        → {"value": …}
    {"screenshot": "file.png"}                           a picture of the whole page   → {"value": "file.png"}

An expression that throws, and one that never becomes true, answer {"error": "…"}. Ends with its input.
"""
import argparse, base64, json, os, select, shutil, signal, subprocess, sys, tempfile, time


class Browser:
    def __init__(self, program, folder):
        to_browser, self.out = os.pipe()
        self.inn, from_browser = os.pipe()

        def connect():
            # The protocol's pipes are descriptors 3 and 4; copies first, so that neither overwrites the other.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=connect, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.session, self.messages = b"", 0, None, []

    def call(self, method, deadline, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        while True:
            answer = self.read(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if answer.get("method") == "Runtime.consoleAPICalled" and answer["params"]["type"] in ("error", "warning"):
                self.messages.append(" ".join(str(part.get("value", "")) for part in answer["params"]["args"]))
            if answer.get("method") == "Runtime.exceptionThrown":
                self.messages.append(json.dumps(answer["params"]["exceptionDetails"].get("exception", {}).get("description", "")))
            if answer.get("method") == "Log.entryAdded" and answer["params"]["entry"]["level"] == "error":
                self.messages.append(answer["params"]["entry"]["text"])

    def read(self, deadline):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.inn], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            chunk = os.read(self.inn, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser has ended")
            self.buffer += chunk
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def evaluate(self, expression, deadline):
        result = self.call("Runtime.evaluate", deadline, expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", "it throws"))
        return result["result"].get("value")

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def answer(browser, command, seconds):
    deadline = time.monotonic() + seconds
    if "wait" in command:
        while not browser.evaluate(command["wait"], deadline):
            if time.monotonic() > deadline:
                page = browser.evaluate("document.body.innerText.slice(0, 2000)", time.monotonic() + 5)
                raise TimeoutError(f"never true: {command['wait']}\nconsole: {browser.messages}\npage: {page}")
            time.sleep(0.05)  # The page changes when the castle does; there is nothing here to wait on.
        return True
    if "evaluate" in command:
        return browser.evaluate(command["evaluate"], deadline)
    if "screenshot" in command:
        picture = browser.call("Page.captureScreenshot", deadline, format="png", captureBeyondViewport=command.get("whole", False))
        with open(command["screenshot"], "wb") as file:
            file.write(base64.b64decode(picture["data"]))
        return command["screenshot"]
    if "console" in command:
        return browser.messages
    raise RuntimeError(f"unknown command {command}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--timeout", type=float, default=30)
    options = parser.parse_args()
    program = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
    if not program:
        sys.exit("there is no chromium here: apt-get install chromium")
    folder = tempfile.mkdtemp(prefix="castle-browser-")
    browser = Browser(program, folder)
    try:
        deadline = time.monotonic() + options.timeout
        target = browser.call("Target.createTarget", deadline, url="about:blank")["targetId"]
        browser.session = browser.call("Target.attachToTarget", deadline, targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            browser.call(f"{domain}.enable", deadline)
        browser.call("Emulation.setDeviceMetricsOverride", deadline, width=options.width, height=options.height,
                     deviceScaleFactor=1, mobile=options.width < 600)
        browser.call("Emulation.setEmulatedMedia", deadline, features=[
            {"name": "prefers-color-scheme", "value": "dark" if options.dark else "light"}])
        browser.call("Page.navigate", deadline, url=options.url)
        for line in sys.stdin:
            try:
                result = {"value": answer(browser, json.loads(line), options.timeout)}
            except (RuntimeError, TimeoutError) as error:
                result = {"error": str(error)}
            print(json.dumps(result), flush=True)
    finally:
        browser.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
