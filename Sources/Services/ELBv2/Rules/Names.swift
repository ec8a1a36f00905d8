// Names and ARNs.

import AWSCore

enum Names {
  /// - Throws: `ValidationError` for a name that AWS would refuse.
  static func check(_ name: String, _ noun: String) throws {
    guard !name.isEmpty else { throw ELBv2Error.validation("\(noun) name cannot be empty") }
    guard name.utf8.count <= ELBv2Limits.nameLengthMax else {
      throw ELBv2Error.validation(
        "\(noun) name '\(name)' cannot be longer than '\(ELBv2Limits.nameLengthMax)' characters")
    }
    guard name.utf8.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") }) else {
      throw ELBv2Error.validation(
        "\(noun) name '\(name)' can only contain characters that are alphanumeric characters and hyphens(-)")
    }
    guard !name.hasPrefix("-"), !name.hasSuffix("-") else {
      throw ELBv2Error.validation("\(noun) name '\(name)' cannot begin or end with a hyphen(-)")
    }
  }

  static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
  }

  /// `app/name/50dc6c495c0c9188` of a load balancer's ARN.
  static func fullName(loadBalancer arn: String) -> String { tail(arn, after: ":loadbalancer/") ?? arn }

  /// `targetgroup/name/50dc6c495c0c9188` of a target group's ARN.
  static func fullName(targetGroup arn: String) -> String {
    tail(arn, after: ":targetgroup/").map { "targetgroup/\($0)" } ?? arn
  }

  /// `app/name/id/listener` of a listener's ARN.
  static func listenerPath(_ arn: String) -> String { tail(arn, after: ":listener/") ?? arn }

  private static func tail(_ arn: String, after marker: String) -> String? {
    guard let range = arn.firstRange(of: marker) else { return nil }
    return String(arn[range.upperBound...])
  }

  /// The hosted zone that Route 53 aliases to load balancers of a region name.
  static func hostedZone(_ region: String, _ kind: LoadBalancerKind) -> String {
    kind == .network
      ? networkHostedZones[region] ?? "Z26RNL4JYFTOTI" : hostedZones[region] ?? "Z35SXDOTRQ7X7K"
  }

  private static let networkHostedZones = [
    "us-east-1": "Z26RNL4JYFTOTI", "us-east-2": "ZLMOA37VPKANP", "us-west-1": "Z24FKFUX50B4VW",
    "us-west-2": "Z18D5FSROUN65G", "ca-central-1": "Z2EPGBW3API2WT", "eu-west-1": "Z2IFOLAFXWLO4F",
    "eu-west-2": "ZD4D7Y8KGAS4G", "eu-west-3": "Z1CMS0P5QUZ6D5", "eu-central-1": "Z3F0SRJ5LGBH90",
    "eu-north-1": "Z1UDT6IFJ4EJM", "ap-southeast-1": "ZKVM4W9LS7TM", "ap-southeast-2": "ZCT6FZBF4DROD",
    "ap-northeast-1": "Z31USIVHYNEOWT", "ap-northeast-2": "ZIBE1TIR4HY56", "ap-south-1": "ZVDDRBQ08TROA",
    "sa-east-1": "ZTK26PT1VY4CU",
  ]

  private static let hostedZones = [
    "us-east-1": "Z35SXDOTRQ7X7K", "us-east-2": "Z3AADJGX6KTTL2", "us-west-1": "Z368ELLRRE2KJ0",
    "us-west-2": "Z1H1FL5HABSF5", "ca-central-1": "ZQSVJUPU6J1EY", "eu-west-1": "Z32O12XQLNTSW2",
    "eu-west-2": "ZHURV8PSTC4K8", "eu-west-3": "Z3Q77PNBQS71R4", "eu-central-1": "Z215JYRZR1TBD5",
    "eu-north-1": "Z23TAZ6LKFMNIO", "ap-southeast-1": "Z1LMS91P8CMLE5", "ap-southeast-2": "Z1GM3OXH4ZPM65",
    "ap-northeast-1": "Z14GRHDCWA56QT", "ap-northeast-2": "ZWKZPGTI48KDX", "ap-south-1": "ZP97RAFLXTNZK",
    "sa-east-1": "Z2P70J7HTTTPLU",
  ]
}
