// The bucket of a log: whether load balancers may write to it, as AWS tries it when the attribute is set.

import AWSCore
import AWSWire
import ELBv2Model
import Policy
import S3Model
import ServiceKit
import Store

extension ELBv2Service {
  /// Who writes logs, as bucket policies name it.
  static let logPrincipal = "logdelivery.elasticloadbalancing.amazonaws.com"

  /// The accounts that bucket policies of older regions name instead.
  private static let logAccounts = [
    "us-east-1": "127311923021", "us-east-2": "033677994240", "us-west-1": "027434742980", "us-west-2": "797873946194",
    "af-south-1": "098369216593", "ap-east-1": "754344448648", "ap-south-1": "718504428378",
    "ap-northeast-1": "582318560864", "ap-northeast-2": "600734575887", "ap-northeast-3": "383597477331",
    "ap-southeast-1": "114774131450", "ap-southeast-2": "783225319266", "ap-southeast-3": "589379963580",
    "ca-central-1": "985666609251", "eu-central-1": "054676820928", "eu-west-1": "156460612806",
    "eu-west-2": "652711504416", "eu-west-3": "009996457667", "eu-south-1": "635631232127",
    "eu-north-1": "897822967062", "me-south-1": "076674570225", "sa-east-1": "507241528517",
  ]

  /// Writes the test file of each log that is newly on, or goes somewhere else.
  /// - Throws: `InvalidConfigurationRequest` for a bucket that is not there or refuses.
  func tryLogs(_ new: LoadBalancerRecord, old: LoadBalancerRecord, _ call: CallContext) async throws {
    for kind in LogKind.allCases {
      guard let place = new.log(kind), place != old.log(kind) else { continue }
      let key = "\(LogKind.root(prefix: place.prefix, account: call.account))/\(kind.testFile)"
      guard try await mayWrite(place.bucket, key, call) else {
        throw ELBv2Error.invalidConfiguration(
          "Access Denied for bucket: \(place.bucket). Please check S3bucket permission")
      }
      do {
        try await put(
          Array("Enable AccessLog for ELB: \(new.name) at \(call.now.iso8601)".utf8), place.bucket, key, call)
      } catch let error as AWSError {
        throw ELBv2Error.invalidConfiguration("The bucket '\(place.bucket)' cannot be written to: \(error.message)")
      }
    }
  }

  /// Stores an object for the load balancers.
  func put(_ bytes: [UInt8], _ bucket: String, _ key: String, _ call: CallContext) async throws {
    _ = try await call.acting(as: Self.logPrincipal).invokeStreaming(
      S3.putObject,
      .make {
        $0.bucket = bucket
        $0.key = key
        $0.contentLength = bytes.count
      }, RequestBody(bytes))
  }

  /// What the bucket's policy says of the service, or of its account in this region.
  private func mayWrite(_ bucket: String, _ key: String, _ call: CallContext) async throws -> Bool {
    let policy: String
    do {
      let found = try await call.acting(as: Self.logPrincipal).invoke(S3.getBucketPolicy, .make { $0.bucket = bucket })
      policy = found.policy ?? ""
    } catch let error as AWSError where error.code == "NoSuchBucket" {
      throw ELBv2Error.invalidConfiguration("S3 bucket '\(bucket)' does not exist")
    } catch let error as AWSError where error.code == "NoSuchBucketPolicy" {
      return false
    }
    guard let document = try? PolicyDocument(policy, kind: .resource) else { return false }
    let set = PolicySet(resource: .init(document))
    var principals = [PolicyPrincipal.service(Self.logPrincipal), .service("delivery.logs.amazonaws.com")]
    if let account = Self.logAccounts[call.region] { principals.append(.root(account: account)) }
    return principals.contains { principal in
      set.decide(
        PolicyRequest(
          principal: principal, action: "s3:PutObject", resource: "arn:aws:s3:::\(bucket)/\(key)",
          resourceAccount: call.account, time: call.now,
          context: [
            "aws:SourceAccount": [call.account], "s3:x-amz-acl": ["bucket-owner-full-control"],
            "aws:SecureTransport": ["true"],
            "aws:SourceArn": ["arn:aws:elasticloadbalancing:\(call.region):\(call.account):loadbalancer/*"],
          ])
      ).isAllowed
    }
  }
}

extension LoadBalancerRecord {
  /// Where a log goes; nil while it is off.
  func log(_ kind: LogKind) -> LogPlace? {
    let table = AttributeTable.loadBalancer(self.kind)
    func value(_ key: String) -> String { table.value("\(kind.rawValue).s3.\(key)", attributes) }
    guard value("enabled") == "true" else { return nil }
    return LogPlace(bucket: value("bucket"), prefix: value("prefix"))
  }
}

struct LogPlace: Sendable, Hashable {
  var bucket: String
  var prefix: String
}
