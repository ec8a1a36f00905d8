// Shield's records.

import AWSCore
import AWSWire
import CastleTesting
import ServiceKit
import ShieldModel
import ShieldService
import Testing

@Suite("Shield")
struct ShieldTests {
  private static let balancer =
    "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/50dc6c495c0c9188"

  @Test("a fresh account has no subscription, and protections need one")
  func subscription() async throws {
    let harness = try ServiceHarness(collections: ShieldService.collections) { [ShieldService($0)] }
    defer { harness.remove() }
    func code<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }) async throws -> String {
      do {
        _ = try await harness.run(operation, configure)
        return ""
      } catch let error as AWSError {
        return "\(error.code): \(error.message)"
      }
    }
    let absent = "ResourceNotFoundException: The subscription does not exist."
    func protect(_ arn: String) async throws -> String {
      try await code(Shield.createProtection) {
        $0.name = "shop"
        $0.resourceArn = arn
        $0.tags = [
          .make {
            $0.key = "a"
            $0.value = "b"
          }
        ]
      }
    }
    #expect(try await harness.run(Shield.getSubscriptionState).subscriptionState == "INACTIVE")
    #expect(try await code(Shield.describeSubscription) == absent)
    #expect(try await protect(Self.balancer) == absent)
    _ = try await harness.run(Shield.createSubscription)
    #expect(try await code(Shield.createSubscription).hasPrefix("ResourceAlreadyExistsException"))
    #expect(try await harness.run(Shield.getSubscriptionState).subscriptionState == "ACTIVE")
    let subscription = try await harness.run(Shield.describeSubscription).subscription
    #expect(subscription?.timeCommitmentInSeconds == 31_536_000)
    #expect(try await protect(Self.balancer) == "")
    #expect(try await protect(Self.balancer).hasPrefix("ResourceAlreadyExistsException"))
    #expect(try await protect("arn:aws:s3:::bucket").hasPrefix("InvalidResourceException"))
    let protection = try #require(try await harness.run(Shield.listProtections).protections?.first)
    #expect(protection.resourceArn == Self.balancer)
    let tags = try await harness.run(Shield.listTagsForResource) { $0.resourceARN = protection.protectionArn ?? "" }
    #expect(tags.tags?.map(\.key) == ["a"])
    _ = try await harness.run(Shield.deleteProtection) { $0.protectionId = protection.id ?? "" }
    #expect(
      try await code(Shield.describeProtection) { $0.resourceArn = Self.balancer }
        == "ResourceNotFoundException: The referenced protection does not exist.")
  }
}
