"""nftables.py CASTLE STATE: in a network namespace of its own (unshare -rn) a castle that may write the packet filter
does so for its load balancers, and takes it away when it goes down."""

import fcntl, json, os, socket, struct, subprocess, sys, time

import boto3

castle, state = sys.argv[1:]


def bring_loopback_up():
    """SIOCSIFFLAGS with IFF_UP (netdevice(7))."""
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))


def tables():
    listed = subprocess.run(["nft", "-j", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return [each["table"]["name"] for each in json.loads(listed)["nftables"] if "table" in each]


def run(*arguments):
    return subprocess.run([castle, *arguments, "--state", state], check=True, capture_output=True, text=True).stdout


bring_loopback_up()
os.environ["PATH"] += ":/usr/sbin"
run("start", "-d", "--port", "0", "--nftables")
with open(f"{state}/castle.json") as file:
    endpoint = json.load(file)["endpoint"]
session = boto3.Session("test", "test", region_name="us-east-1")
elb = session.client("elbv2", endpoint_url=endpoint)
subnets = session.client("ec2", endpoint_url=endpoint).describe_subnets()["Subnets"][:2]
balancer = elb.create_load_balancer(Name="filtered", Subnets=[s["SubnetId"] for s in subnets])["LoadBalancers"][0]
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080,
    DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}])
# The Gate writes its table on a thread of its own, and nothing tells when it has.
for _ in range(200):
    # It is replaced whenever something changes: what is seen once was there.
    with_it = tables()
    if with_it:
        break
    time.sleep(0.05)
run("down")
left = tables()
run("destroy", "--yes")
print(json.dumps({"with": with_it, "left": left}))
