"""mutual.py CA: mutual TLS of a listener: curl shows certificates of openssl's, the trust store is in S3."""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

from castle import Front, check, client, equal, issued, refused, say

authority = sys.argv[1]
s3, elb = client("s3"), client("elbv2")
PORT = 8475
BUCKET = "mutual"


class Told(http.server.BaseHTTPRequestHandler):
    """Answers with what it is told of the client."""

    def do_GET(self):
        body = json.dumps({
            name.lower(): value for name, value in self.headers.items() if name.lower().startswith("x-amzn-mtls")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Authority:
    """An authority of openssl's, with clients' certificates and a list of those it takes back."""

    def __init__(self, folder, name):
        self.folder = f"{folder}/{name}"
        os.mkdir(self.folder)
        for file, text in [("index", ""), ("serial", "1000"), ("crlnumber", "01"), ("config", f"""
[ca]
default_ca = own
[own]
dir = {self.folder}
database = $dir/index
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
[any]
commonName = supplied
""")]:
            with open(f"{self.folder}/{file}", "w") as out:
                out.write(text)
        self.run("req", "-x509", *self.key("ca"), "-out", f"{self.folder}/ca.pem", "-days", "2", "-subj", f"/CN={name}")

    def run(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{self.folder}/{name}.key"]

    def client(self, name):
        """What curl shows."""
        self.run("req", "-new", *self.key(name), "-out", f"{self.folder}/{name}.csr", "-subj", f"/CN={name}")
        self.run(
            "ca", "-batch", "-config", f"{self.folder}/config", "-in", f"{self.folder}/{name}.csr",
            "-out", f"{self.folder}/{name}.pem", "-notext")
        return ["--cert", f"{self.folder}/{name}.pem", "--key", f"{self.folder}/{name}.key"]

    def revoke(self, name):
        self.run("ca", "-config", f"{self.folder}/config", "-revoke", f"{self.folder}/{name}.pem")
        self.run("ca", "-config", f"{self.folder}/config", "-gencrl", "-out", f"{self.folder}/crl.pem")


def ask(*arguments):
    """What the target was told of the client; None when the handshake was refused."""
    finished = subprocess.run(
        ["curl", "-sS", "-m", "10", "--cacert", authority, "--resolve", f"www.mutual.test:{PORT}:{address}", *arguments,
         f"https://www.mutual.test:{PORT}/"], capture_output=True, text=True)
    if finished.returncode == 0:
        return json.loads(finished.stdout)
    # A refusal in the handshake (35), or behind it, as TLS 1.3 has it (56, 52 and 55 where the connection goes first).
    check(finished.returncode in (35, 52, 55, 56), finished.stderr)
    return None


def fetched(location):
    """What curl gets at an address, without credentials: status and bytes."""
    finished = subprocess.run(
        ["curl", "-sS", "-m", "10", "--cacert", authority, "-w", "%{stderr}%{http_code}", location], capture_output=True)
    equal(finished.returncode, 0, f"curl {location}: {finished.stderr}")
    return int(finished.stderr), finished.stdout


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def mode(mode, **more):
    elb.modify_listener(ListenerArn=listener, MutualAuthentication={"Mode": mode, **more})


with tempfile.TemporaryDirectory() as folder:
    ours, others = Authority(folder, "ours"), Authority(folder, "others")
    ada, eve, stranger = ours.client("ada"), ours.client("eve"), others.client("stranger")
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(f"{ours.folder}/ca.pem", BUCKET, "ca.pem")
    store = elb.create_trust_store(
        Name="mutual", CaCertificatesBundleS3Bucket=BUCKET, CaCertificatesBundleS3Key="ca.pem",
    )["TrustStores"][0]["TrustStoreArn"]

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    front = Front("mutual")
    listener = front.listener(
        PORT, front.group(server.server_address[1]), issued("mutual.test")[0],
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06", MutualAuthentication={"Mode": "verify", "TrustStoreArn": store})
    front.until_healthy()
    address = front.address

    for version in ["1.2", "1.3"]:
        tls = [f"--tlsv{version}", "--tls-max", version]
        told = ask(*ada, *tls)
        check(told, f"a client of the trust store's authority, TLS {version}")
        equal((told["x-amzn-mtls-clientcert-subject"], told["x-amzn-mtls-clientcert-issuer"]), ("CN=ada", "CN=ours"), "who")
        equal(int(told["x-amzn-mtls-clientcert-serial-number"], 16), 0x1000, "the certificate's number")
        check("BEGIN%20CERTIFICATE" in told["x-amzn-mtls-clientcert-leaf"], "the certificate itself")
        equal(ask(*tls), None, f"nobody, TLS {version}")
        equal(ask(*stranger, *tls), None, f"another authority's client, TLS {version}")
    told = ask(*ada, "-H", "X-Amzn-Mtls-Clientcert-Subject: CN=root")
    equal(told["x-amzn-mtls-clientcert-subject"], "CN=ada", "what a client says of itself is not passed on")

    check(ask(*eve), "before she is revoked")
    ours.revoke("eve")
    s3.upload_file(f"{ours.folder}/crl.pem", BUCKET, "crl.pem")
    added = elb.add_trust_store_revocations(TrustStoreArn=store, RevocationContents=[
        {"S3Bucket": BUCKET, "S3Key": "crl.pem", "RevocationType": "CRL"}])["TrustStoreRevocations"][0]
    equal(added["NumberOfRevokedEntries"], 1, "entries of the list")
    equal(ask(*eve), None, "afterwards")
    check(ask(*ada), "the others go on")

    bundle = elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=store)["Location"]
    equal(fetched(bundle), (200, contents(f"{ours.folder}/ca.pem")), "the bundle as it was uploaded")
    ours.run("crl", "-in", f"{ours.folder}/crl.pem", "-outform", "DER", "-out", f"{ours.folder}/crl.der")
    s3.upload_file(f"{ours.folder}/crl.der", BUCKET, "crl.der")
    binary = elb.add_trust_store_revocations(TrustStoreArn=store, RevocationContents=[
        {"S3Bucket": BUCKET, "S3Key": "crl.der"}])["TrustStoreRevocations"][0]["RevocationId"]
    for id, file in [(added["RevocationId"], "crl.pem"), (binary, "crl.der")]:
        location = elb.get_trust_store_revocation_content(TrustStoreArn=store, RevocationId=id)["Location"]
        equal(fetched(location), (200, contents(f"{ours.folder}/{file}")), f"{file} as it was uploaded")
    status, text = fetched(bundle.replace("X-Amz-Expires=600", "X-Amz-Expires=6000"))
    equal((status, b"<Code>SignatureDoesNotMatch</Code>" in text), (403, True), f"an address that was changed: {text}")
    status, text = fetched(bundle.split("?")[0])
    equal((status, b"<Code>AccessDenied</Code>" in text), (403, True), f"an address without its signature: {text}")
    equal(
        refused(lambda: elb.get_trust_store_revocation_content(TrustStoreArn=store, RevocationId=99))[:2],
        ("RevocationIdNotFound", 400), "a list that is not there")
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[binary])

    equal(refused(lambda: elb.delete_trust_store(TrustStoreArn=store))[0], "TrustStoreInUse", "a trust store in use")
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[added["RevocationId"]])
    check(ask(*eve), "taken back")

    mode("passthrough")
    told = ask(*stranger)
    check("BEGIN%20CERTIFICATE" in told["x-amzn-mtls-clientcert"], "the target judges for itself")
    equal(ask(), {}, "nobody is nobody")
    mode("off")
    equal(ask(*ada), {}, "nothing is asked")
    front.end()
    elb.delete_trust_store(TrustStoreArn=store)
    say(done=True)
