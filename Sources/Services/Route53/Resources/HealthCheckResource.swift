// AWS::Route53::HealthCheck for CloudFormation.

import AWSCore
import AWSWire
import Route53Model
import ServiceKit

extension Route53Service {
  /// Ref is the health check's id; Fn::GetAtt knows HealthCheckId.
  var healthCheckProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Route53::HealthCheck", properties: ["HealthCheckConfig", "HealthCheckTags"],
      create: { properties, context in try await Self.make(properties, context) },
      update: { handle, old, new, context in
        // These cannot be changed: another health check takes the place, and the stack removes the old one.
        for name in ["Type", "RequestInterval", "MeasureLatency"]
        where old["HealthCheckConfig"]?[name] != new["HealthCheckConfig"]?[name] {
          return try await Self.make(new, context)
        }
        var input = try PropertyMapper(Route53.model).structure(
          Route53.UpdateHealthCheckRequest.self, new["HealthCheckConfig"] ?? .object([:]),
          ignoring: ["Type", "RequestInterval", "MeasureLatency"])
        input.healthCheckId = handle.physicalID
        let gone = ["ChildHealthChecks", "FullyQualifiedDomainName", "Regions", "ResourcePath"].filter {
          old["HealthCheckConfig"]?[$0] != nil && new["HealthCheckConfig"]?[$0] == nil
        }
        input.resetElements = gone.isEmpty ? nil : gone
        _ = try await context.call.invoke(Route53.updateHealthCheck, input)
        try await Self.applyTags("healthcheck", handle.physicalID, new["HealthCheckTags"], context)
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(
            Route53.deleteHealthCheck, .make { $0.healthCheckId = handle.physicalID })
        } catch let error as AWSError where error.code == "NoSuchHealthCheck" {
          // It is gone.
        }
      })
  }

  private static func make(_ properties: JSONValue, _ context: ResourceContext) async throws -> ResourceHandle {
    let config = try PropertyMapper(Route53.model).structure(
      Route53.HealthCheckConfig.self, properties["HealthCheckConfig"] ?? .object([:]))
    let made = try await context.call.invoke(
      Route53.createHealthCheck,
      .make {
        $0.callerReference = context.call.ids.uuid()
        $0.healthCheckConfig = config
      })
    let id = made.healthCheck?.id ?? ""
    try await applyTags("healthcheck", id, properties["HealthCheckTags"], context)
    return ResourceHandle(id, attributes: ["HealthCheckId": .string(id)])
  }
}
