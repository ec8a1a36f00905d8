// `castle start`: the AWS APIs as boto3 and the aws command meet them.

import AWSCore
import CastleTesting
import Foundation
import Testing

@Suite("an empty castle", .serialized, .castle(.empty(strict: false))) struct EmptyCastleTests {
  @Test("boto3 sees one world through all its APIs", .timeLimit(.minutes(2))) func world() async throws {
    try await castle().script("world.py")
  }

  @Test("throw-away keys work, a key names an account, and a reset empties the cloud", .timeLimit(.minutes(1)))
  func emulator() async throws {
    let said = try await castle().script("emulator.py")
    let fastest = try #require(said["fastest"]?.text.flatMap { Double($0) })
    #expect(fastest < 500, "a reset took \(fastest) ms in a debug build")
  }

  @Test("Route 53's health checks ask a real server; Elastic IPs have reverse names", .timeLimit(.minutes(1)))
  func health() async throws {
    try await castle().script("health.py")
  }

  @Test("datagrams and connections pass a network load balancer that boto3 made", .timeLimit(.minutes(2)))
  func flows() async throws {
    try await castle().script("flows.py")
  }

  @Test(
    "a program on the machine is a target by the machine's instance id, until it is drained", .timeLimit(.minutes(2)))
  func instances() async throws {
    try await castle().script("instances.py")
  }

  @Test("attacks reach Shield and CloudWatch while everybody else is served", .timeLimit(.minutes(2)))
  func floods() async throws {
    let said = try await castle().script("floods.py")
    print("attacks listed after s:", said)
  }

  @Test("WAF's logs arrive in a bucket under AWS's names", .timeLimit(.minutes(1))) func wafLogs() async throws {
    try await castle().script("waflogs.py")
  }

  @Test("what is not built answers 501 in the caller's own protocol", .timeLimit(.minutes(1))) func gaps() async throws
  {
    try await castle().script("gaps.py")
  }

  @Test("TLS and plain share the port; other sites and other names are refused", .timeLimit(.minutes(1)))
  func doors() async throws {
    try await castle().script("doors.py")
  }

  @Test("a site behind ACM's certificate is believed by who trusts the castle's authority", .timeLimit(.minutes(2)))
  func certificates() async throws {
    let castle = try castle()
    try await castle.script("certificates.py", [try await authority(castle)])
  }

  @Test("gRPC's own client reaches gRPC's own server through listeners with TLS and without", .timeLimit(.minutes(2)))
  func grpc() async throws {
    let castle = try castle()
    try await castle.script("grpc_calls.py", [try await authority(castle)])
  }

  @Test("each condition and action of rules does to curl's requests what the API was told", .timeLimit(.minutes(2)))
  func rules() async throws {
    try await castle().script("rules.py")
  }

  @Test("mutual TLS: curl with and without a certificate, in both modes, with a revocation", .timeLimit(.minutes(2)))
  func mutualTLS() async throws {
    let castle = try castle()
    try await castle.script("mutual.py", [try await authority(castle)])
  }

  @Test("WebSocket's own client reaches its own server, with TLS and without", .timeLimit(.minutes(2)))
  func websocket() async throws {
    let castle = try castle()
    try await castle.script("websocket.py", [try await authority(castle)])
  }

  @Test("users sign in at an OpenID provider, and targets verify who they are", .timeLimit(.minutes(2)))
  func signIn() async throws {
    let castle = try castle()
    try await castle.script("signin.py", [try await authority(castle)])
  }

  /// The file with the authority that a castle's certificates are of.
  private func authority(_ castle: CastleProcess) async throws -> String {
    let place = try await castle.castle(["trust", "--print"]).succeeded().output
    return String(place.split(separator: "\n").first ?? "")
  }

  @Test(
    "a zonal shift moves the traffic of load balancers, and network ones keep to their zones", .timeLimit(.minutes(2)))
  func zones() async throws {
    try await castle().script("zones.py")
  }

  @Test("CloudWatch has exactly what load balancers, flows and a web ACL counted", .timeLimit(.minutes(2)))
  func metrics() async throws {
    let castle = try castle()
    let place = try await castle.castle(["trust", "--print"]).succeeded().output
    let authority = String(place.split(separator: "\n").first ?? "")
    try await castle.script("metrics.py", [authority])
  }

  @Test("a configuration change every 100 ms under load fails no request", .timeLimit(.minutes(2)))
  func changes() async throws {
    try await castle().script("changes.py", ["changed"])
  }

  @Test(
    "kill -9 of the control plane every two seconds under load fails no request: HTTP/1.1, TLS, HTTP/2",
    .timeLimit(.minutes(2)))
  func killed() async throws {
    try await castle().script("changes.py", ["killed"])
  }

  @Test(
    "requests sent ahead, in pieces, cut off or large: a connection answers each once and in order",
    .timeLimit(.minutes(1)))
  func connections() async throws {
    try await castle().script("connections.py")
  }

  @Test("the aws command talks to it, and deploys a template", .timeLimit(.minutes(2))) func command() async throws {
    let castle = try castle()
    func aws(_ arguments: String...) async throws -> JSONValue {
      let finished = try await castle.run(
        "aws", arguments + ["--output", "json"], environment: ["AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"]
      ).succeeded()
      return finished.output.isEmpty ? [:] : try finished.json()
    }
    #expect(try await aws("sts", "get-caller-identity")["Account"] == "000000000000")
    let template = "\(castle.folder)/deploy.yaml"
    try """
    Resources:
      Log: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: /deployed } }
    Outputs:
      Log: { Value: !Ref Log }
    """.write(toFile: template, atomically: true, encoding: .utf8)
    // `deploy` prints sentences, whatever --output says.
    try await castle.run(
      "aws", ["cloudformation", "deploy", "--stack-name", "deployed", "--template-file", template], seconds: 90
    ).succeeded()
    let stacks = try await aws("cloudformation", "describe-stacks", "--stack-name", "deployed")
    #expect(stacks["Stacks"]?.array?.first?["StackStatus"] == "CREATE_COMPLETE")
    #expect(stacks["Stacks"]?.array?.first?["Outputs"]?.array?.first?["OutputValue"] == "/deployed")
    let again = try await castle.run(
      "aws",
      [
        "cloudformation", "deploy", "--stack-name", "deployed", "--template-file", template,
        "--no-fail-on-empty-changeset",
      ], seconds: 90
    ).succeeded()
    #expect(again.output.contains("No changes to deploy"))
    let groups = try await aws("logs", "describe-log-groups", "--log-group-name-prefix", "/deployed")
    #expect(groups["logGroups"]?.array?.count == 1)
  }
}

@Suite("a strict castle", .serialized, .castle(.empty(strict: true))) struct StrictCastleTests {
  @Test("only keys that were made are let in, and each protocol says no in its own words", .timeLimit(.minutes(2)))
  func strangers() async throws {
    try await castle().script("strangers.py")
  }

  @Test("a web ACL holds back what it should, tells of it, and outlives the control plane", .timeLimit(.minutes(2)))
  func webACL() async throws {
    let castle = try castle()
    try await castle.script("webacl.py", ["made"])
    try await castle.killControlPlane()
    try await castle.start()
    try await castle.script("webacl.py", ["kept"])
  }

  @Test("clients are known by their TLS, their network, and the lists they are on", .timeLimit(.minutes(2)))
  func clients() async throws {
    let castle = try castle()
    try await castle.script("clients.py", [castle.state])
  }

  @Test("kill -9 of the control plane loses no write that was acknowledged", .timeLimit(.minutes(2)))
  func acknowledged() async throws {
    let castle = try castle()
    let notes = "\(castle.folder)/acknowledged"
    func noted() -> Int { (try? String(contentsOfFile: notes, encoding: .utf8))?.split(separator: "\n").count ?? 0 }
    for _ in 0..<3 {
      let before = noted()
      let writer = try await castle.launch("writes.py", ["write", notes])
      try await eventually("writes are acknowledged") { noted() >= before + 60 }
      try await castle.killControlPlane()
      try await writer.finished(seconds: 40).succeeded()
      try await castle.start()
    }
    let verified = try await castle.script("writes.py", ["verify", notes])
    #expect(verified["verified"]?.integer == noted())
    print("kill -9 of the control plane, three times while writing: \(noted()) acknowledged writes, 0 lost")
  }
}
