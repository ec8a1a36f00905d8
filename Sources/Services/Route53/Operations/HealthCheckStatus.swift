// What the health checkers saw: GetHealthCheckStatus, GetHealthCheckLastFailureReason, GetCheckerIpRanges.

import AWSCore
import AWSWire
import Route53Model
import ServiceKit
import Store

extension Route53Service {
  /// Castle has one health checker, and it asks from here.
  static let checkerAddress = "127.0.0.1"

  func getHealthCheckStatus(
    _ input: Route53.GetHealthCheckStatusRequest, _ call: CallContext
  ) async throws -> Route53.GetHealthCheckStatusResponse {
    let (check, seen) = try await observed(input.healthCheckId, call)
    return .make { $0.healthCheckObservations = Self.observations(check, seen?.last) }
  }

  func getHealthCheckLastFailureReason(
    _ input: Route53.GetHealthCheckLastFailureReasonRequest, _ call: CallContext
  ) async throws -> Route53.GetHealthCheckLastFailureReasonResponse {
    let (check, seen) = try await observed(input.healthCheckId, call)
    return .make { $0.healthCheckObservations = Self.observations(check, seen?.lastFailure) }
  }

  /// - Throws: `NoSuchHealthCheck`; `InvalidInput` for a calculated check, which no checker looks at.
  private func observed(_ id: String, _ call: CallContext) async throws -> (HealthCheckRecord, HealthRecord?) {
    let check = try await healthCheck(id, call)
    guard check.settings.type != .calculated else {
      throw Route53Error.invalidInput(
        "Invalid parameter : The status of a calculated health check is told by CloudWatch's metrics only.")
    }
    return (check, try await store.get(HealthRecord.self, call.globalScope, id))
  }

  private static func observations(
    _ check: HealthCheckRecord, _ report: HealthRecord.Report?
  ) -> [Route53.HealthCheckObservation] {
    guard let report else { return [] }
    return [
      .make {
        $0.ipAddress = checkerAddress
        $0.region = check.settings.regions?.first ?? "us-east-1"
        $0.statusReport = .make {
          $0.checkedTime = report.at
          $0.status = report.words
        }
      }
    ]
  }

  func getCheckerIpRanges(
    _ input: Route53.GetCheckerIpRangesRequest, _ call: CallContext
  ) async throws -> Route53.GetCheckerIpRangesResponse {
    .make { $0.checkerIpRanges = ["\(Self.checkerAddress)/32"] }
  }
}
