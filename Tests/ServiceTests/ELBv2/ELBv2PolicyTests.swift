// What an application load balancer does with requests besides passing them on, from the API's words to what clients see.

import AWSCore
import AWSWire
import ELBv2Model
import Foundation
import GateProtocol
import S3Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 policies in the Gate", .timeLimit(.minutes(2)), .serialized)
struct ELBv2PolicyTests {
  /// A target group of servers that are healthy.
  private func group(_ elb: ELBv2Fixture, _ name: String, _ servers: [ELBServer]) async throws -> String {
    let made = try await elb.targetGroup(name) { $0.healthCheckPath = "/health" }
    try await elb.register(made, servers)
    return made
  }

  private func untilHealthy(_ elb: ELBv2Fixture, _ groups: [String]) async throws {
    try await elb.until("all healthy") {
      for group in groups where Set(try await elb.health(group).values) != ["healthy"] { return false }
      return true
    }
  }

  /// The last cookie that an answer sets, which is the one for requests from other sites.
  private func cookie(_ answer: ELBHTTP.Answer, _ name: String) throws -> String {
    let line = try #require(answer.headers["set-cookie"])
    #expect(line.hasPrefix(name + "="), "\(line)")
    return "Cookie: \(line.prefix { $0 != ";" })\r\n"
  }

  @Test("clients stay with their target, or with their target group, by cookies")
  func stickiness() async throws {
    try await ELBv2Fixture.withGate { elb in
      let one = try ELBServer("one")
      let two = try ELBServer("two")
      let both = try await group(elb, "both", [one, two])
      _ = try await elb.run(ELBv2.modifyTargetGroupAttributes) {
        $0.targetGroupArn = both
        $0.attributes = [("enabled", "true"), ("type", "lb_cookie"), ("lb_cookie.duration_seconds", "60")].map {
          key, value in
          .make {
            $0.key = "stickiness.\(key)"
            $0.value = value
          }
        }
      }
      let first = try await group(elb, "first", [one])
      let second = try await group(elb, "second", [two])
      let balancer = try await elb.loadBalancer("shop")
      _ = try await elb.listener(balancer, .forward(both))
      _ = try await elb.listener(
        balancer, port: 81,
        .make {
          $0.type = "forward"
          $0.forwardConfig = .make {
            $0.targetGroups = [first, second].map { arn in
              .make {
                $0.targetGroupArn = arn
                $0.weight = 500
              }
            }
            $0.targetGroupStickinessConfig = .make {
              $0.enabled = true
              $0.durationSeconds = 60
            }
          }
        })
      try await untilHealthy(elb, [both, first, second])
      let name = try await elb.dnsName(balancer)
      let targets = try await ELBHTTP.get(name)
      let targetCookie = try cookie(targets, "AWSALBCORS")
      for _ in 0..<6 { #expect(try await ELBHTTP.get(name, headers: targetCookie).body == targets.body) }
      let host = name.split(separator: ":")[0]
      let bound = try await elb.service.store.read {
        try $0.list(ListenerRecord.self).first { $0.1.port == 81 }?.1.bound?.port
      }
      let other = "\(host):\(try #require(bound))"
      let groups = try await ELBHTTP.get(other)
      let groupCookie = try cookie(groups, "AWSALBTGCORS")
      for _ in 0..<8 { #expect(try await ELBHTTP.get(other, headers: groupCookie).body == groups.body) }
    }
  }

  @Test("rules match by regular expressions and rewrite; one that cannot be matched is refused and harms nobody")
  func expressions() async throws {
    try await ELBv2Fixture.withGate { elb in
      let server = try ELBServer("one")
      let web = try await group(elb, "web", [server])
      let balancer = try await elb.loadBalancer("shop")
      let listener = try await elb.listener(balancer, .fixed("404"))
      func create(_ priority: Int, _ condition: String, _ rewrite: String) async throws -> String {
        try await elb.failure(ELBv2.createRule) {
          $0.listenerArn = listener
          $0.priority = priority
          $0.conditions = [
            .make {
              $0.field = "path-pattern"
              $0.pathPatternConfig = .make { $0.regexValues = [condition] }
            }
          ]
          $0.transforms = [
            .make {
              $0.type = "url-rewrite"
              $0.urlRewriteConfig = .make {
                $0.rewrites = [
                  .make {
                    $0.regex = rewrite
                    $0.replace = "/api/$1/"
                  }
                ]
              }
            }
          ]
          $0.actions = [.forward(web)]
        }
      }
      #expect(try await create(1, "^/v[0-9]+/", "^/v([0-9]+)/") == "")
      for (condition, rewrite) in [("(?=x)", "x"), ("[z-a]", "x"), ("x", "x++"), ("x", "(a)\\1")] {
        let failure = try await create(2, condition, rewrite)
        #expect(failure.hasPrefix("ValidationError") && failure.contains("regular expression"), "\(failure)")
      }
      try await untilHealthy(elb, [web])
      let name = try await elb.dnsName(balancer)
      #expect(try await ELBHTTP.get(name, "/v2/cart?a=b").body == "one")
      #expect(server.paths == ["/api/2/cart?a=b"])
      #expect(try await ELBHTTP.get(name, "/vx/cart").status == 404)
    }
  }

  @Test("a listener's headers are added to answers; what no header can be is refused")
  func headers() async throws {
    try await ELBv2Fixture.withGate { elb in
      let balancer = try await elb.loadBalancer("shop")
      let listener = try await elb.listener(balancer, .fixed("200", "here"))
      func set(_ key: String, _ value: String) async throws -> String {
        try await elb.failure(ELBv2.modifyListenerAttributes) {
          $0.listenerArn = listener
          $0.attributes = [
            .make {
              $0.key = "routing.http.response.\(key)"
              $0.value = value
            }
          ]
        }
      }
      #expect(try await set("x_frame_options.header_value", "DENY") == "")
      #expect(try await set("server.enabled", "false") == "")
      #expect(
        try await set("access_control_allow_origin.header_value", "*\r\nX: y").hasPrefix("InvalidConfigurationRequest"))
      let answer = try await ELBHTTP.get(try await elb.dnsName(balancer))
      #expect(answer.headers["x-frame-options"] == "DENY" && answer.headers["server"] == nil)
    }
  }

  @Test("a user without a session is sent to the identity provider, and the code that comes back is traded there")
  func signIn() async throws {
    try await ELBv2Fixture.withGate { elb in
      let provider = try ELBServer("no token")
      let base = "http://127.0.0.1:\(provider.port)"
      let balancer = try await elb.loadBalancer("shop")
      let certificate = try await elb.certificate("shop.example")
      let made = try await elb.run(ELBv2.createListener) {
        $0.loadBalancerArn = balancer
        $0.port = 443
        $0.protocol = "HTTPS"
        $0.certificates = [.make { $0.certificateArn = certificate }]
        var signIn = ELBv2.Action.make { $0.type = "authenticate-oidc" }
        signIn.order = 1
        signIn.authenticateOidcConfig = .make {
          $0.issuer = base
          $0.authorizationEndpoint = "\(base)/authorize"
          $0.tokenEndpoint = "\(base)/token"
          $0.userInfoEndpoint = "\(base)/user"
          $0.clientId = "storefront"
          $0.clientSecret = "secret"
        }
        var answer = ELBv2.Action.fixed("200", "welcome")
        answer.order = 2
        $0.defaultActions = [signIn, answer]
      }
      let arn = try #require(made.listeners?.first?.listenerArn)
      let record = try await elb.service.store.read { try $0.list(ListenerRecord.self).first { $0.1.arn == arn }?.1 }
      let bound = try #require(record?.bound)
      let address = try #require(bound.address)
      let port = try #require(bound.port)
      func get(_ path: String, _ cookie: String = "a=b") async throws -> String {
        try await ELBProgram.run([
          "curl", "-sS", "-i", "--http1.1", "--max-time", "20", "--cacert", elb.authorityPath, "--cookie", cookie,
          "--resolve", "shop.example:\(port):\(address)", "https://shop.example:\(port)\(path)",
        ]).body
      }
      let sent = try await get("/cart")
      #expect(sent.hasPrefix("HTTP/1.1 302") && sent.contains("Location: \(base)/authorize?client_id=storefront&"))
      let state = try #require(sent.firstMatch(of: /state=([^&\r\n]+)/)?.1)
      let nonce = try #require(sent.firstMatch(of: /Set-Cookie: (AWSALBAuthNonce=[^;]+)/)?.1)
      // This provider's answer holds no token.
      let back = try await get("/oauth2/idpresponse?code=c&state=\(state)", String(nonce))
      #expect(back.hasPrefix("HTTP/1.1 500"), "\(back)")
      #expect(provider.paths == ["/token"])
    }
  }

  @Test("health checks are written to their log once it is on")
  func healthLog() async throws {
    try await ELBv2Fixture.withGate { elb in
      let server = try ELBServer("one")
      let web = try await group(elb, "web", [server])
      let balancer = try await elb.loadBalancer("shop")
      _ = try await elb.listener(balancer, .forward(web))
      _ = try await elb.run(S3.createBucket) { $0.bucket = "logs" }
      _ = try await elb.run(S3.putBucketPolicy) {
        $0.bucket = "logs"
        $0.policy = """
          {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject",
          "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}, "Resource": "arn:aws:s3:::logs/*"}]}
          """
      }
      _ = try await elb.run(ELBv2.modifyLoadBalancerAttributes) {
        $0.loadBalancerArn = balancer
        $0.attributes = [("enabled", "true"), ("bucket", "logs")].map { key, value in
          .make {
            $0.key = "health_check_logs.s3.\(key)"
            $0.value = value
          }
        }
      }
      let folder = "\(elb.harness.environment.directory)/elb-logs/\(LogKind.healthCheck.folder(balancer))"
      try await elb.until("the line is there", seconds: 40) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let texts = names.map { FileManager.default.contents(atPath: "\(folder)/\($0)") ?? Data() }
        let text = String(decoding: texts.joined(), as: UTF8.self)
        return text.hasPrefix("http ") && text.contains(" 127.0.0.1:\(server.port) web PASS 200 -\n")
      }
      let keys = try await elb.run(S3.listObjectsV2) { $0.bucket = "logs" }.contents?.compactMap(\.key)
      #expect(keys == ["AWSLogs/000000000000/ELBHealthCheckLogTestFile"])
    }
  }

  @Test("requests are written to the access log once it is on")
  func accessLog() async throws {
    try await ELBv2Fixture.withGate { elb in
      let balancer = try await elb.loadBalancer("shop")
      _ = try await elb.listener(balancer, .fixed("200", "here"))
      _ = try await elb.run(S3.createBucket) { $0.bucket = "logs" }
      _ = try await elb.run(S3.putBucketPolicy) {
        $0.bucket = "logs"
        $0.policy = """
          {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject",
          "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}, "Resource": "arn:aws:s3:::logs/*"}]}
          """
      }
      _ = try await elb.run(ELBv2.modifyLoadBalancerAttributes) {
        $0.loadBalancerArn = balancer
        $0.attributes = [("enabled", "true"), ("bucket", "logs")].map { key, value in
          .make {
            $0.key = "access_logs.s3.\(key)"
            $0.value = value
          }
        }
      }
      #expect(try await ELBHTTP.get(try await elb.dnsName(balancer), "/logged?a=b").status == 200)
      let folder = "\(elb.harness.environment.directory)/elb-logs/\(LogKind.access.folder(balancer))"
      @Sendable func line() -> String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let texts = names.map { FileManager.default.contents(atPath: "\(folder)/\($0)") ?? Data() }
        return String(decoding: texts.joined(), as: UTF8.self)
      }
      try await elb.until("the line is there") { line().contains("/logged?a=b") }
      let name = balancer.split(separator: "/").suffix(3).joined(separator: "/")
      #expect(line().hasPrefix("http ") && line().contains(" \(name) 127.0.0.1:"), "\(line())")
      #expect(line().contains(#" "fixed-response" "-" "-" "-" "-" "#), "\(line())")
    }
  }
}
