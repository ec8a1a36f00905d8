// The same refusal in each service's words.

import AWSCore
import Policy

/// Access-denied errors by service.
enum AccessDenied {
  /// Services that speak JSON and answer `AccessDeniedException`.
  private static let json: Set<String> = [
    "kms", "secretsmanager", "logs", "ecs", "ecr", "acm", "wafv2", "shield", "application-autoscaling",
    "servicediscovery", "ssm", "tag", "states", "dynamodb",
  ]

  static func error(_ decision: PolicyDecision, _ request: PolicyRequest) -> AWSError {
    let service = request.action.split(separator: ":").first.map { $0.lowercased() } ?? ""
    switch service {
    case "ec2":
      let reason = decision.accessDenied(request).message
      return AWSError(
        "UnauthorizedOperation", "You are not authorized to perform this operation. \(reason)", status: 403)
    case "s3" where request.principal.kind == .anonymous: return AWSError("AccessDenied", "Access Denied", status: 403)
    case _ where json.contains(service):
      return decision.accessDenied(request, code: "AccessDeniedException", status: 400)
    default: return decision.accessDenied(request)
    }
  }
}
