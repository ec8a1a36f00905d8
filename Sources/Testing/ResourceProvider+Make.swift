// Making a resource in one call, for tests that are not about stacks.

import AWSCore
import ServiceKit

extension ResourceProvider {
  /// Creates a resource and waits until it is stable, as a stack does.
  public func make(_ properties: JSONValue, _ context: ResourceContext) async throws -> ResourceHandle {
    let created = try await create(properties, context)
    return try await stabilize?(created, context) ?? created
  }
}
