// What the template does with `uses`: environment, doors, permissions; seen through the Templates module.
import Templates
import Testing

@testable import Blueprint

@Suite("The template, evaluated")
struct WiringTests {
  private func evaluated(
    _ name: String, account: String = "000000000000", parameters: [String: String] = [:],
    _ format: Blueprint.TemplateFormat = .yaml
  ) throws -> (resources: [String: EvaluatedResource], evaluator: TemplateEvaluator) {
    let template = try Template.parse(try Fixture.blueprint(name).template(format))
    let evaluator = try TemplateEvaluator(
      template: template, parameters: parameters,
      context: .init(
        accountId: account, region: "us-east-1", stackName: name, stackId: "arn:aws:cloudformation:x:y:stack/z/1"))
    var resources: [String: EvaluatedResource] = [:]
    for resource in evaluator.resources {
      resources[resource.logicalId] = try evaluator.evaluate(resource) { question in
        switch question {
        case .reference(let id): return .string(id)
        case .attribute(let id, let name): return .string("\(id).\(name)")
        }
      }
    }
    return (resources, evaluator)
  }

  private func environment(_ resources: [String: EvaluatedResource], _ service: String) -> [String: String] {
    let container = resources["\(service)TaskDefinition"]?.properties["ContainerDefinitions"]?.list?.first
    var values: [String: String] = [:]
    for variable in container?["Environment"]?.list ?? [] {
      values[variable["Name"]?.text ?? ""] = variable["Value"]?.text ?? ""
    }
    for variable in container?["Secrets"]?.list ?? [] {
      values[variable["Name"]?.text ?? ""] = "secret " + (variable["ValueFrom"]?.text ?? "")
    }
    return values
  }

  @Test("uses becomes the environment of each service")
  func storefrontEnvironment() throws {
    let resources = try evaluated("storefront").resources
    #expect(
      environment(resources, "Frontend") == [
        "PORT": "3000", "BACKEND_URL": "http://InternalLoadBalancer.DNSName",
        "SESSIONS_HOST": "SessionsCache.PrimaryEndPoint.Address", "SESSIONS_PORT": "SessionsCache.PrimaryEndPoint.Port",
        "SESSIONS_TLS": "false", "SESSIONS_TOKEN": "secret SessionsToken", "SESSIONS_URL": "secret SessionsUrl",
        "ASSETS_BUCKET": "AssetsBucket",
      ])
    #expect(
      environment(resources, "Backend") == [
        "PORT": "4000", "ORDERS_HOST": "OrdersCluster.Endpoint.Address",
        "ORDERS_READER_HOST": "OrdersCluster.ReadEndpoint.Address", "ORDERS_PORT": "OrdersCluster.Endpoint.Port",
        "ORDERS_NAME": "orders", "ORDERS_USERNAME": "secret OrdersLogin:username::",
        "ORDERS_PASSWORD": "secret OrdersLogin:password::", "ORDERS_URL": "secret OrdersUrl",
        "SESSIONS_HOST": "SessionsCache.PrimaryEndPoint.Address", "SESSIONS_PORT": "SessionsCache.PrimaryEndPoint.Port",
        "SESSIONS_TLS": "false", "SESSIONS_TOKEN": "secret SessionsToken", "SESSIONS_URL": "secret SessionsUrl",
        "ASSETS_BUCKET": "AssetsBucket", "PAYMENT_KEY_ARN": "PaymentKeySecret",
        "PAYMENT_KEY": "secret PaymentKeySecret",
      ])
  }

  @Test("a cache is spoken to in TLS on AWS, and plainly in a castle")
  func tls() throws {
    for (account, scheme, tls) in [("000000000000", "redis", "false"), ("123456789012", "rediss", "true")] {
      let resources = try evaluated("storefront", account: account).resources
      #expect(environment(resources, "Frontend")["SESSIONS_TLS"] == tls)
      #expect(
        resources["SessionsUrl"]?.properties["SecretString"]?.text
          == "\(scheme)://:{{resolve:secretsmanager:SessionsToken:SecretString}}"
          + "@SessionsCache.PrimaryEndPoint.Address:SessionsCache.PrimaryEndPoint.Port")
    }
  }

  @Test("a security group has a door only where uses or a route leads")
  func doors() throws {
    let resources = try evaluated("everything").resources
    let doors = resources.values.filter { $0.type == "AWS::EC2::SecurityGroupIngress" }.map(\.logicalId).sorted()
    #expect(
      doors == [
        "ApiFromInternalLoadBalancer", "ApiFromPublicLoadBalancer", "InternalLoadBalancerFromWeb",
        "InternalLoadBalancerFromWorker", "MainDbFromApi", "MainDbFromWorker", "ReportsFromApi", "SessionsFromApi",
        "ShardsFromApi", "WebFromInternalLoadBalancer", "WebFromPublicLoadBalancer",
      ])
  }

  @Test("a task role allows what is used and nothing else")
  func roles() throws {
    let resources = try evaluated("everything").resources
    let worker = resources["WorkerTaskRole"]
    #expect(worker != nil && worker?.properties["Policies"] == nil)
    let web = resources["WebTaskRole"]?.properties["Policies"]?.list?.first?["PolicyDocument"]?["Statement"]?.list
    #expect(
      web?.compactMap { $0["Action"]?.texts } == [
        ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], ["kms:Decrypt"],
      ])
    #expect(web?.first?["Resource"] == "LoginKeySecret")
  }

  @Test("the parameter leaves one NAT gateway, and everything still has its way out")
  func oneGateway() throws {
    let one = try evaluated("storefront", parameters: ["NatGateways": "one"]).resources
    #expect(one["NatGatewayB"] == nil && one["NatAddressB"] == nil)
    #expect(one["PrivateRouteB"]?.properties["NatGatewayId"] == "NatGatewayA")
    let two = try evaluated("storefront").resources
    #expect(two["PrivateRouteB"]?.properties["NatGatewayId"] == "NatGatewayB")
  }

  @Test("YAML and JSON say the same", arguments: ["storefront", "everything"])
  func formats(name: String) throws {
    let blueprint = try Fixture.blueprint(name)
    let yaml = try Template.parseNode(try blueprint.template(.yaml)).value
    let json = try Template.parseNode(try blueprint.template(.json)).value
    func normal(_ value: TemplateValue) -> TemplateValue {
      // `!GetAtt A.B` reads as a list, JSON writes the dotted text: both are right.
      switch value {
      case .map(let map):
        if map.count == 1, let dotted = map["Fn::GetAtt"]?.text, let dot = dotted.firstIndex(of: ".") {
          return [
            "Fn::GetAtt": [.string(String(dotted[..<dot])), .string(String(dotted[dotted.index(after: dot)...]))]
          ]
        }
        return .map(TemplateMap(map.map { ($0.key, normal($0.value)) }))
      case .list(let items): return .list(items.map(normal))
      default: return value
      }
    }
    #expect(yaml == normal(json))
  }

  @Test("services come up after what they use, and independent parts together")
  func order() throws {
    let levels = try evaluated("storefront").evaluator.graph.levels()
    func level(_ id: String) -> Int { levels.firstIndex { $0.contains(id) } ?? -1 }
    #expect(levels.count < 14)
    #expect(level("BackendService") > level("OrdersWriter"))
    #expect(level("BackendService") > level("BackendInternalRule"))
    #expect(level("FrontendService") > level("SessionsCache"))
    #expect(level("Vpc") == 0 && level("Key") == 0)
  }

  @Test("the folder of run commands is a parameter with the given default")
  func directory() throws {
    let text = try Fixture.blueprint("storefront").template(directory: "/srv/my shop")
    let template = try Template.parse(text)
    #expect(template.parameters.first { $0.name == "CastleDirectory" }?.defaultValue == "/srv/my shop")
  }

  @Test("names that would make one resource are refused")
  func collision() throws {
    let blueprint = try Blueprint.parse(
      """
      name: shop
      services: { a: { run: x, port: 1, public: { path: / } }, a-public: { run: x, port: 2, public: { path: /b } } }
      """)
    #expect(throws: Never.self) { try blueprint.template() }
    // `a-b` twice over: the role of one is the role of the other.
    var twice = blueprint
    twice.services[1].name = "a"
    #expect(throws: BlueprintError.self) { try twice.template() }
  }
}
