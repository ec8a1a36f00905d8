// The production template of a blueprint.

extension Blueprint {
  /// How a template is written.
  public enum TemplateFormat: String, Sendable, CaseIterable { case yaml, json }

  /// The CloudFormation template of this application: the same text for AWS and for a castle.
  /// - Parameters:
  ///   - format: YAML has titles over its parts; JSON says the same.
  ///   - directory: the folder of castle.yaml, default of the parameter `CastleDirectory`, in which `run` commands
  ///     start. AWS has no use for it.
  /// - Throws: when two names of the file become the same logical id.
  public func template(_ format: TemplateFormat = .yaml, directory: String = ".") throws(BlueprintError) -> String {
    let document = ProductionTemplate(blueprint: self, directory: directory).document()
    if let id = document.collisions.first {
      throw BlueprintError(problems: [
        .init(
          line: 1, column: 1, message: "two names in this file would both make the resource \(id): rename one",
          suggestion: nil)
      ])
    }
    return format == .yaml ? document.yaml : document.json
  }
}

/// Puts the template together, part by part in the order of the text.
struct ProductionTemplate {
  let blueprint: Blueprint
  let directory: String
  var out = TemplateDocument()

  init(blueprint: Blueprint, directory: String) {
    self.blueprint = blueprint
    self.directory = directory
  }

  var hasPublicRoute: Bool { blueprint.services.contains { $0.publicRoute != nil } }
  var hasInternalRoute: Bool { blueprint.services.contains { $0.internalRoute != nil } }
  var hasData: Bool { !blueprint.databases.isEmpty || !blueprint.caches.isEmpty }

  /// The services that use something.
  func users(of name: String) -> [Blueprint.Service] { blueprint.services.filter { $0.uses.contains(name) } }

  func document() -> TemplateDocument {
    var template = self
    template.head()
    template.network()
    template.security()
    template.key()
    template.buckets()
    template.secrets()
    for database in blueprint.databases { template.database(database) }
    for cache in blueprint.caches { template.cache(cache) }
    template.loadBalancers()
    template.cluster()
    for service in blueprint.services { template.service(service) }
    template.shield()
    template.vpns()
    template.sharedOutputs()
    return template.out
  }

  private mutating func head() {
    out.description = "\(blueprint.name): load balancers, services and their data, made from castle.yaml"
    var castle: [(String, Piece)] = [("Name", .text(blueprint.name))]
    if let domain = blueprint.domain { castle.append(("Domain", .text(domain))) }
    out.metadata.append(("Castle", .map(castle)))
    out.parameter(
      "NatGateways",
      [
        ("Type", "String"), ("Default", "per-zone"), ("AllowedValues", ["per-zone", "one"]),
        ("Description", "One NAT gateway in each zone, or one for all, which costs less and fails with its zone"),
      ])
    for service in blueprint.services {
      out.parameter(
        "\(service.name.logical)Image",
        [
          ("Type", "String"), ("Default", .text("\(blueprint.name)/\(service.name):latest")),
          ("AllowedPattern", "[^\\s]+"),
          (
            "Description",
            .text("The image of \(service.name): a repository and tag in this account's ECR registry")
          ),
        ])
    }
    out.parameter(
      "CastleDirectory",
      [
        ("Type", "String"), ("Default", .text(directory)),
        ("Description", "The folder of castle.yaml, where a castle starts run commands; AWS does not use it"),
      ])
    out.conditions.append(("NatPerZone", .call("Equals", [.ref("NatGateways"), "per-zone"])))
    if !blueprint.caches.isEmpty {
      // Castle's account id does not exist on AWS. A castle serves caches without TLS, AWS only with it.
      out.conditions.append(("OnCastle", .call("Equals", [.ref("AWS::AccountId"), "000000000000"])))
    }
  }

  /// Tags with a name made of the stack's name and a word.
  func named(_ word: String, _ more: [Piece] = []) -> (String, Piece) {
    ("Tags", .list([["Key": "Name", "Value": .sub("${AWS::StackName}-\(word)")]] + more))
  }

  private mutating func sharedOutputs() {
    if hasPublicRoute {
      out.outputs.insert(
        (
          "PublicUrl",
          ["Description": "Where the application is", "Value": .sub("http://${PublicLoadBalancer.DNSName}")]
        ), at: 0)
    }
    out.output("VpcId", "The network", .ref("Vpc"))
    out.output("KeyArn", "The key that encrypts everything at rest", .attribute("Key", "Arn"))
    out.output("ClusterName", "The ECS cluster", .ref("Cluster"))
  }
}

/// A statement of an IAM policy.
func allow(_ actions: [String], on resources: [Piece]) -> Piece {
  [
    "Effect": "Allow", "Action": .list(actions.map { .text($0) }),
    "Resource": resources.count == 1 ? resources[0] : .list(resources),
  ]
}

/// A policy document.
func policyDocument(_ statements: [Piece]) -> Piece { ["Version": "2012-10-17", "Statement": .list(statements)] }
