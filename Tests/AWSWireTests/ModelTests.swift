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

  @Test("the largest models are read in an instant, also by an unoptimised program")
  func speed() throws {
    for name in ["EC2", "IAM", "S3", "RDS"] {
      let text = try Models.named(name).text
      let times = (0..<5).map { _ in ContinuousClock().measure { _ = ServiceModel(text).shapes } }
      let best = times.min() ?? .zero
      print("model \(name): read in \(best)")
      // Far above what it takes, so that a busy machine does not fail this.
      #expect(best < .milliseconds(300))
    }
  }

  @Test("codecs take microseconds")
  func codecSpeed() throws {
    for golden in try Golden.cases("requests.json") {
      let request = try WireRequest(golden: golden)
      let routed = try Models.router.route(request, signingName: golden["signingName"]?.string)
      guard
        ["Encrypt", "AuthorizeSecurityGroupIngress", "PutBucketLifecycleConfiguration", "PutMetricData"]
          .contains(routed.operationName)
      else { continue }
      let rounds = 100
      let route = try ContinuousClock().measure {
        for _ in 0..<rounds { _ = try Models.router.route(request, signingName: golden["signingName"]?.string) }
      }
      let read = try ContinuousClock().measure { for _ in 0..<rounds { _ = try routed.input() } }
      print("\(routed.wireProtocol) \(routed.operationName): route \(route / rounds), read \(read / rounds)")
      #expect(read < .seconds(20))
    }
  }
}
