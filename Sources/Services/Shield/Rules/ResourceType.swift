// Which resources Shield protects.

import AWSCore

extension ShieldService {
  static let resourceTypes = [
    "ELASTIC_IP_ALLOCATION", "CLASSIC_LOAD_BALANCER", "APPLICATION_LOAD_BALANCER", "CLOUDFRONT_DISTRIBUTION",
    "ROUTE_53_HOSTED_ZONE", "GLOBAL_ACCELERATOR",
  ]

  /// The kind of a resource that Shield protects, by the form of its ARN; nil for others.
  static func resourceType(_ text: String) -> String? {
    guard let arn = ARN(text) else { return nil }
    switch arn.service {
    case "elasticloadbalancing" where arn.resource.hasPrefix("loadbalancer/app/"): return "APPLICATION_LOAD_BALANCER"
    // A network load balancer is protected by its Elastic IP addresses.
    case "elasticloadbalancing" where isClassic(arn.resource): return "CLASSIC_LOAD_BALANCER"
    case "ec2" where arn.resource.hasPrefix("eip-allocation/"): return "ELASTIC_IP_ALLOCATION"
    case "cloudfront" where arn.resource.hasPrefix("distribution/"): return "CLOUDFRONT_DISTRIBUTION"
    case "route53" where arn.resource.hasPrefix("hostedzone/"): return "ROUTE_53_HOSTED_ZONE"
    case "globalaccelerator" where arn.resource.hasPrefix("accelerator/"): return "GLOBAL_ACCELERATOR"
    default: return nil
    }
  }

  /// `loadbalancer/NAME`: the other kinds have a slash more.
  private static func isClassic(_ resource: String) -> Bool {
    resource.hasPrefix("loadbalancer/") && !resource.dropFirst(13).contains("/")
  }
}
