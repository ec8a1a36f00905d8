// The models as they are read at run time.

import AWSCore
import KMSModel
import Testing

@testable import AWSWire

@Suite("Service models")
struct ModelTests {
  @Test("every model is read, and its operations lead to structures", arguments: Models.byName.map(\.0))
  func reads(name: String) throws {
    let model = try Models.named(name)
    let shapes = model.shapes
    #expect(!model.operations.isEmpty)
    for operation in model.operations.values {
      #expect(model.header.knownOperations.contains(operation.name))
      for index in [operation.input, operation.output].compactMap({ $0 }) {
        guard case .structure = shapes[index].kind else {
          Issue.record("\(operation.name) leads to \(shapes[index].name)")
          continue
        }
      }
    }
  }

  @Test("a typed shape reads and writes the tree by the model's places")
  func typed() throws {
    let request = WireRequest(
      method: "POST", path: "/", headers: ["X-Amz-Target": "TrentService.ScheduleKeyDeletion"],
      body: Array(#"{"PendingWindowInDays": 7, "KeyId": "k"}"#.utf8))
    let routed = try Models.router.route(request, signingName: "kms")
    let input = KMS.ScheduleKeyDeletionRequest(wireMembers: try routed.input())
    #expect(input.keyId == "k")
    #expect(input.pendingWindowInDays == 7)
  }
}
