"""signin.py CA: users sign in at an OpenID provider (Authlib's), through a load balancer's HTTPS listener.

Each target verifies what it is told of its user with the key that the castle gives for it.
"""

import base64
import datetime
import http.server
import json
import ssl
import sys
import threading
import urllib.parse
import urllib.request

import httpx
import oidc_provider_mock
import werkzeug.middleware.proxy_fix
import werkzeug.serving
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from castle import Front, check, client, environment, equal, issued, refused, say, until

HOST = "www.signin.test"
PORT = 8463
# A provider behind a load balancer of its own, which only the castle's zone knows by this name.
LOGIN = "login.signin.test"
LOGIN_PORT = 8464


def provider(**more):
    """A provider of its own, and its endpoints as it tells them."""
    server = werkzeug.serving.make_server("127.0.0.1", 0, oidc_provider_mock.app(**more), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_port}"
    with urllib.request.urlopen(f"{place}/.well-known/openid-configuration") as answer:
        return json.load(answer)


def keyed(key):
    """The public key, from the castle in the place of public-keys.auth.elb.REGION.amazonaws.com."""
    endpoint = environment("AWS_ENDPOINT_URL")
    with urllib.request.urlopen(f"{endpoint}/_castle/elb-public-keys/{key}") as answer:
        pem = answer.read()
    request = urllib.request.Request(f"{endpoint}/{key}", headers={"Host": "public-keys.auth.elb.us-east-1.amazonaws.com"})
    with urllib.request.urlopen(request) as answer:
        equal(answer.read(), pem, "the key under AWS's name")
    return serialization.load_pem_public_key(pem)


def claims(token):
    """What a token says, once its signature holds."""
    head, body, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(head))
    raw = base64.urlsafe_b64decode(signature)
    key = keyed(told["kid"])
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    try:
        key.verify(der, f"{head}.{body}x".encode(), ec.ECDSA(hashes.SHA256()))
        sys.exit("a signature under something else")
    except InvalidSignature:
        pass
    return json.loads(base64.urlsafe_b64decode(body))


class Login:
    """The provider that is named by a host of the castle's own zone: an alias leads to its load balancer."""

    def __init__(self, certificate, zone, authority):
        self.zone = zone
        app = werkzeug.middleware.proxy_fix.ProxyFix(oidc_provider_mock.app(), x_for=0)
        server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.front = Front("login")
        group = self.front.group(server.server_port, HealthCheckPath="/.well-known/openid-configuration")
        self.front.listener(LOGIN_PORT, group, certificate)
        self.front.until_healthy()
        self.http = httpx.Client(verify=ssl.create_default_context(cafile=authority), timeout=20)
        self.point()
        self.endpoints = self.ask("GET", f"https://{LOGIN}:{LOGIN_PORT}/.well-known/openid-configuration").json()
        equal(self.endpoints["issuer"], f"https://{LOGIN}:{LOGIN_PORT}", "what the provider calls itself")

    def ask(self, method, url, **more):
        """As who resolves the name in the castle."""
        parts = urllib.parse.urlsplit(url)
        return self.http.request(
            method, parts._replace(netloc=f"{self.front.address}:{LOGIN_PORT}").geturl(),
            headers={"Host": parts.netloc}, extensions={"sni_hostname": LOGIN}, **more)

    def point(self, address=None):
        """At an address, or at the load balancer."""
        balancer = self.front.described()
        client("route53").change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": [{
            "Action": "UPSERT", "ResourceRecordSet": {"Name": LOGIN, "Type": "A", **(
                {"TTL": 60, "ResourceRecords": [{"Value": address}]} if address else {"AliasTarget": {
                    "HostedZoneId": balancer["CanonicalHostedZoneId"], "DNSName": balancer["DNSName"],
                    "EvaluateTargetHealth": False}})}}]})


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {name: self.headers.get(f"x-amzn-oidc-{name}") for name in ("identity", "accesstoken", "data")}
        body = json.dumps({"path": self.path, **told}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Browser:
    """Keeps cookies for the site, and follows where it is sent."""

    def __init__(self, address, authority):
        self.address = address
        self.http = httpx.Client(verify=ssl.create_default_context(cafile=authority), timeout=20)
        self.cookies = {}

    def ask(self, path, method="GET"):
        answer = self.http.request(
            method, f"https://{self.address}:{PORT}{path}", extensions={"sni_hostname": HOST},
            headers={
                "Host": f"{HOST}:{PORT}", "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())})
        self.http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            name, value = line.split(";")[0].split("=", 1)
            check("Secure" in line and "HttpOnly" in line, "cookies for HTTPS only, and not for scripts")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer

    def local(self, location):
        parts = urllib.parse.urlsplit(location)
        equal(f"{parts.scheme}://{parts.netloc}", f"https://{HOST}:{PORT}", "where the site is")
        return parts._replace(scheme="", netloc="").geturl()

    def sign_in(self, path, user, action="authorize", post=httpx.post):
        """From the page that was wanted to the answer that the provider's word brings."""
        sent = self.ask(path)
        equal(sent.status_code, 302, "sent to the provider")
        back = post(sent.headers["location"], data={"sub": user, "action": action})
        equal(back.status_code, 302, "the provider sends the user back")
        return self.ask(self.local(back.headers["location"]))


def front(certificate, providers, port):
    front = Front("signin")
    group = front.group(port)
    listener = front.listener(
        PORT, {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}, certificate)

    def rule(priority, path, endpoints, **more):
        return front.elb.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=[{"Field": "path-pattern", "Values": [path]}], Actions=[
                {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {
                    "Issuer": endpoints["issuer"], "AuthorizationEndpoint": endpoints["authorization_endpoint"],
                    "TokenEndpoint": endpoints["token_endpoint"], "UserInfoEndpoint": endpoints["userinfo_endpoint"],
                    "ClientId": "shop", "ClientSecret": "a secret", "Scope": "openid email", **more}},
                {"Type": "forward", "Order": 2, "TargetGroupArn": group}])

    for number, (name, endpoints) in enumerate(providers.items(), 1):
        rule(number, f"/{name}/*", endpoints, SessionCookieName=f"AWSELBAuth-{name}")
    rule(10, "/api/*", providers["long"], SessionCookieName="AWSELBAuth-long", OnUnauthenticatedRequest="deny")
    error = refused(lambda: rule(11, "/x", {**providers["long"], "token_endpoint": "http://elsewhere.test/token"}))
    equal(error[0], "ValidationError", "an endpoint without TLS on another machine")
    front.until_healthy()
    return front


def named(site, address, authority, login):
    """The load balancer asks the provider where the castle's zone says it is, as that changes."""
    def sign_in():
        return Browser(address, authority).sign_in(
            "/named/cart", "eva@signin.test", post=lambda url, **more: login.ask("POST", url, **more)).status_code

    equal(sign_in(), 302, "a provider of the castle's zone")
    listener = site.elb.describe_listeners(LoadBalancerArn=site.arn)["Listeners"][0]["ListenerArn"]
    site.elb.create_rule(
        ListenerArn=listener, Priority=20, Conditions=[{"Field": "path-pattern", "Values": ["/token/*"]}], Actions=[
            {"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": {
                "Issuer": login.endpoints["issuer"], "JwksEndpoint": login.endpoints["jwks_uri"]}},
            {"Type": "fixed-response", "Order": 2, "FixedResponseConfig": {"StatusCode": "200"}}])
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [
        b'{"alg":"RS256","kid":"none"}', b"{}", b"nothing"])
    answer = Browser(address, authority).http.get(
        f"https://{address}:{PORT}/token/x", extensions={"sni_hostname": HOST},
        headers={"Host": HOST, "Authorization": f"Bearer {token}"})
    equal(answer.status_code, 401, "a token under no key of the set, which is there (562 without it)")
    login.point("127.255.255.254")
    until("the provider is asked at its new address, where nobody is", lambda: sign_in() == 500)
    login.point()
    until("the provider is back", lambda: sign_in() == 302)


def main(authority):
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    providers = {
        "long": provider(),
        # Whose access tokens end soon, and whose refresh tokens bring others.
        "short": provider(access_token_max_age=datetime.timedelta(seconds=3)),
    }
    certificate, zone = issued("signin.test")
    login = Login(certificate, zone, authority)
    providers["named"] = login.endpoints
    site = front(certificate, providers, target.server_address[1])
    address = site.address

    browser = Browser(address, authority)
    equal(browser.ask("/api/cart").status_code, 401, "an API's client without a session")
    sent = browser.sign_in("/long/cart?item=7", "ada@signin.test")
    equal((sent.status_code, browser.local(sent.headers["location"])), (302, "/long/cart?item=7"), "back to the page")
    page = browser.ask("/long/cart?item=7").json()
    equal((page["identity"], page["path"]), ("ada@signin.test", "/long/cart?item=7"), "who it is")
    equal(claims(page["data"])["email"], "ada@signin.test", "what the provider says of the user")
    told = httpx.get(
        providers["long"]["userinfo_endpoint"], headers={"Authorization": f"Bearer {page['accesstoken']}"}).json()
    equal(told["sub"], "ada@signin.test", "the access token is good at the provider")
    equal(browser.ask("/api/cart").json()["identity"], "ada@signin.test", "the API with the same session")
    equal(Browser(address, authority).ask("/long/cart").status_code, 302, "somebody else")

    denied = Browser(address, authority).sign_in("/long/cart", "eve@signin.test", action="deny")
    equal(denied.status_code, 401, "who says no to the provider")

    # A token that has ended is renewed before the request goes on, and the new session is in the answer.
    bob = Browser(address, authority)
    equal(bob.sign_in("/short/cart", "bob@signin.test").status_code, 302, "another user, another provider")
    first, cookies = bob.ask("/short/cart").json(), dict(bob.cookies)

    def renewed():
        page = bob.ask("/short/cart", "POST").json()
        return page if page["accesstoken"] != first["accesstoken"] else None

    page = until("the access token is renewed", renewed, 30)
    equal((page["identity"], claims(page["data"])["sub"]), ("bob@signin.test", "bob@signin.test"), "it is still Bob")
    check(bob.cookies != cookies, "the browser has the new session")
    named(site, address, authority, login)
    site.end()
    login.front.end()
    say(signed_in=True)


if __name__ == "__main__":
    main(sys.argv[1])
