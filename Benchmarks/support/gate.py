"""A castle-gate without a castle: started, given a snapshot, asked over its control socket."""
import json, os, socket, struct, subprocess, sys, time

from .programs import start

HERE = os.path.dirname(os.path.abspath(__file__))


def snapshot(port, upstream, detects_floods=True, **listener):
    """gate-snapshot.json, of which a test makes sure that the Gate reads it, with ports and what else a listener has."""
    with open(f"{HERE}/gate-snapshot.json") as f:
        result = json.load(f)
    result["loadBalancers"][0]["shield"]["detectsFloods"] = detects_floods
    result["loadBalancers"][0]["listeners"][0].update(port=port, **listener)
    result["targetGroups"][0]["targets"][0]["port"] = upstream
    return result


class Gate:
    """A castle-gate on core 0."""

    def __init__(self, folder, program, configuration, workers=1, **options):
        path = f"{folder}/gate.sock"
        self.process = start([program, "--socket", path, "--workers", str(workers)], 0, **options)
        self.number = 0
        for _ in range(500):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if self.process.poll() is not None:
                    sys.exit(f"{program} ended with {self.process.returncode}")
                time.sleep(0.02)
        try:
            reply = self.call({"apply": {"_0": configuration}})
        except OSError:
            self.process.kill()
            sys.exit("the Gate does not understand Benchmarks/support/gate-snapshot.json; its log says why")
        wanted = configuration["loadBalancers"][0]["listeners"][0]["port"]
        status = reply["reply"]["_1"].get("status")
        if not status or status["_0"]["listeners"][0]["port"] != wanted:
            self.process.kill()
            sys.exit(f"the Gate did not take its configuration: {reply}")

    def call(self, request):
        """Sends a request and waits for its answer."""
        self.number += 1
        body = json.dumps({"id": self.number, "request": request}).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)
        while True:
            message = self.read()
            if "reply" in message:
                return message

    def read(self):
        """The next message of any kind. Raises OSError when the Gate has gone."""
        head = self.socket.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            raise OSError("the Gate closed its control socket")
        size = struct.unpack(">I", head)[0]
        return json.loads(self.socket.recv(size, socket.MSG_WAITALL))
