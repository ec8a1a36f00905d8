// AWS::S3::Bucket and AWS::S3::BucketPolicy for CloudFormation.

import AWSCore
import AWSWire
import S3Model
import ServiceKit

extension S3Service {
  /// Ref is the bucket's name; Fn::GetAtt knows Arn, DomainName, DualStackDomainName, RegionalDomainName and WebsiteURL.
  var bucketProvider: ResourceProvider {
    ResourceProvider(
      "AWS::S3::Bucket",
      properties: [
        "AccessControl", "BucketEncryption", "BucketName", "CorsConfiguration", "LifecycleConfiguration",
        "OwnershipControls", "PublicAccessBlockConfiguration", "Tags", "VersioningConfiguration",
      ],
      replacedBy: ["BucketName"],
      create: { properties, context in
        let name =
          properties["BucketName"]?.text
          ?? context.generatedName(maxLength: 63, lowercase: true)
        try await Self.requireFree(name, context.call)
        try Self.checkAccessControl(properties)
        _ = try await context.call.invoke(
          S3.createBucket,
          .make {
            $0.bucket = name
            if context.call.region != "us-east-1" {
              $0.createBucketConfiguration = .make { $0.locationConstraint = context.call.region }
            }
          })
        do {
          try await Self.apply(properties, old: nil, to: name, context)
        } catch {
          // A stack's failed creation leaves nothing behind that the stack would not know.
          _ = try? await context.call.invoke(S3.deleteBucket, .make { $0.bucket = name })
          throw error
        }
        return Self.handle(name, context)
      },
      update: { handle, old, new, context in
        try Self.checkAccessControl(new)
        try await Self.apply(new, old: old, to: handle.physicalID, context)
        return Self.handle(handle.physicalID, context)
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(S3.deleteBucket, .make { $0.bucket = handle.physicalID })
        } catch let error as AWSError where error.code == "NoSuchBucket" {
          // Gone already.
        }
      })
  }

  /// Ref is the bucket's name.
  var bucketPolicyProvider: ResourceProvider {
    let put: @Sendable (JSONValue, ResourceContext) async throws -> ResourceHandle = { properties, context in
      guard let bucket = properties["Bucket"]?.text, let policy = properties["PolicyDocument"] else {
        throw AWSError.validation(
          "Properties validation failed: #: required key [Bucket] or [PolicyDocument] not found")
      }
      _ = try await context.call.invoke(
        S3.putBucketPolicy,
        .make {
          $0.bucket = bucket
          $0.policy = policy.text ?? policy.description
        })
      return ResourceHandle(bucket)
    }
    return ResourceProvider(
      "AWS::S3::BucketPolicy", properties: ["Bucket", "PolicyDocument"], replacedBy: ["Bucket"],
      create: { try await put($0, $1) },
      update: { _, _, new, context in try await put(new, context) },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(S3.deleteBucketPolicy, .make { $0.bucket = handle.physicalID })
        } catch let error as AWSError where error.code == "NoSuchBucket" {
          // Gone already.
        }
      })
  }

  // MARK: -

  private static func handle(_ name: String, _ context: ResourceContext) -> ResourceHandle {
    let region = context.call.region
    return ResourceHandle(
      name,
      attributes: [
        "Arn": .string("arn:aws:s3:::\(name)"), "DomainName": .string("\(name).s3.amazonaws.com"),
        "DualStackDomainName": .string("\(name).s3.dualstack.\(region).amazonaws.com"),
        "RegionalDomainName": .string("\(name).s3.\(region).amazonaws.com"),
        "WebsiteURL": .string("http://\(name).s3-website-\(region).amazonaws.com"),
      ])
  }

  /// In us-east-1, CreateBucket of a bucket that one has is no error; for a stack it is.
  private static func requireFree(_ name: String, _ call: CallContext) async throws {
    do {
      _ = try await call.invoke(S3.headBucket, .make { $0.bucket = name })
    } catch let error as AWSError where error.code == "NoSuchBucket" {
      return
    }
    throw AWSError("AlreadyExists", "\(name) already exists", status: 409)
  }

  private static func checkAccessControl(_ properties: JSONValue) throws {
    guard let access = properties["AccessControl"]?.text, access != "Private", access != "BucketOwnerFullControl" else {
      return
    }
    throw AWSError.notImplemented("s3: AccessControl \(access) of a bucket; buckets are private to their owner")
  }

  /// Brings the bucket's configuration to what the properties say.
  private static func apply(
    _ new: JSONValue, old: JSONValue?, to name: String, _ context: ResourceContext
  ) async throws {
    let call = context.call
    let mapper = PropertyMapper(S3.model, renames: ["ServerSideEncryptionConfiguration": "Rules"])
    func differs(_ property: String) -> Bool { new[property] != old?[property] }
    if differs("OwnershipControls") {
      let controls =
        try new["OwnershipControls"].map { try mapper.structure(S3.OwnershipControls.self, $0) }
        ?? ownershipControls("BucketOwnerEnforced")
      _ = try await call.invoke(
        S3.putBucketOwnershipControls,
        .make {
          $0.bucket = name
          $0.ownershipControls = controls
        })
    }
    if differs("PublicAccessBlockConfiguration") {
      // Without the property a bucket has what every new bucket has: all of it.
      let block: S3.PublicAccessBlockConfiguration =
        try new["PublicAccessBlockConfiguration"].map {
          try mapper.structure(S3.PublicAccessBlockConfiguration.self, $0)
        }
        ?? .make {
          $0.blockPublicAcls = true
          $0.blockPublicPolicy = true
          $0.ignorePublicAcls = true
          $0.restrictPublicBuckets = true
        }
      _ = try await call.invoke(
        S3.putPublicAccessBlock,
        .make {
          $0.bucket = name
          $0.publicAccessBlockConfiguration = block
        })
    }
    try await applyVersioning(new, old, name, call)
    if differs("BucketEncryption") {
      if let encryption = new["BucketEncryption"] {
        let document = try mapper.structure(S3.ServerSideEncryptionConfiguration.self, Self.encryption(encryption))
        _ = try await call.invoke(
          S3.putBucketEncryption,
          .make {
            $0.bucket = name
            $0.serverSideEncryptionConfiguration = document
          })
      } else {
        _ = try await call.invoke(S3.deleteBucketEncryption, .make { $0.bucket = name })
      }
    }
    if differs("CorsConfiguration") { try await applyCORS(new["CorsConfiguration"], name, call) }
    if differs("LifecycleConfiguration") {
      if let lifecycle = new["LifecycleConfiguration"] {
        let rules = try LifecycleProperties.rules(lifecycle)
        _ = try await call.invoke(
          S3.putBucketLifecycleConfiguration,
          .make {
            $0.bucket = name
            $0.lifecycleConfiguration = .make { $0.rules = rules }
            $0.transitionDefaultMinimumObjectSize = lifecycle["TransitionDefaultMinimumObjectSize"]?.text
          })
      } else {
        _ = try await call.invoke(S3.deleteBucketLifecycle, .make { $0.bucket = name })
      }
    }
    try await applyTags(new, name, context)
  }

  /// `ServerSideEncryptionByDefault` is called `ApplyServerSideEncryptionByDefault` in the API.
  private static func encryption(_ property: JSONValue) -> JSONValue {
    let rules = (property["ServerSideEncryptionConfiguration"]?.array ?? []).map { rule -> JSONValue in
      guard var members = rule.object else { return rule }
      if let wanted = members.removeValue(forKey: "ServerSideEncryptionByDefault") {
        members["ApplyServerSideEncryptionByDefault"] = wanted
      }
      return .object(members)
    }
    return ["Rules": .array(rules)]
  }

  private static func applyVersioning(
    _ new: JSONValue, _ old: JSONValue?, _ name: String, _ call: CallContext
  ) async throws {
    guard new["VersioningConfiguration"] != old?["VersioningConfiguration"] else { return }
    // A bucket that kept versions once can only suspend that.
    let status = new["VersioningConfiguration"]?["Status"]?.text ?? "Suspended"
    _ = try await call.invoke(
      S3.putBucketVersioning,
      .make {
        $0.bucket = name
        $0.versioningConfiguration = .make { $0.status = status }
      })
  }

  private static func applyCORS(_ property: JSONValue?, _ name: String, _ call: CallContext) async throws {
    guard let property else {
      _ = try await call.invoke(S3.deleteBucketCors, .make { $0.bucket = name })
      return
    }
    let mapper = PropertyMapper(
      S3.model, renames: ["ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds", "Id": "ID"])
    let rules = try (property["CorsRules"]?.array ?? []).map { try mapper.structure(S3.CORSRule.self, $0) }
    _ = try await call.invoke(
      S3.putBucketCors,
      .make {
        $0.bucket = name
        $0.corsConfiguration = .make { $0.corsRules = rules }
      })
  }

  /// The stack's tags, and over them the resource's own.
  private static func applyTags(_ new: JSONValue, _ name: String, _ context: ResourceContext) async throws {
    let all = context.allTags(new)
    if all.isEmpty {
      _ = try await context.call.invoke(S3.deleteBucketTagging, .make { $0.bucket = name })
      return
    }
    let tags = TagRules.wire(all)
    _ = try await context.call.invoke(
      S3.putBucketTagging,
      .make {
        $0.bucket = name
        $0.tagging = .make { $0.tagSet = tags }
      })
  }
}
