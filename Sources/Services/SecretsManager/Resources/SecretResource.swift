// AWS::SecretsManager::Secret for CloudFormation.

import AWSCore
import AWSWire
import FoundationEssentials
import SecretsManagerModel
import ServiceKit

extension SecretsManagerService {
  /// Ref is the secret's ARN, and so is Fn::GetAtt Id.
  var secretProvider: ResourceProvider {
    ResourceProvider(
      "AWS::SecretsManager::Secret",
      properties: [
        "Description", "GenerateSecretString", "KmsKeyId", "Name", "ReplicaRegions", "SecretString", "Tags", "Type",
      ],
      replacedBy: ["Name"],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        guard properties["ReplicaRegions"]?.array?.isEmpty ?? true else {
          throw AWSError.notImplemented("ReplicaRegions of AWS::SecretsManager::Secret")
        }
        let value = try await Self.value(properties, call)
        let tags = context.allTags(properties)
        let made = try await call.invoke(
          SecretsManager.createSecret,
          .make {
            $0.name = properties["Name"]?.text ?? context.generatedName(maxLength: 255)
            $0.description = properties["Description"]?.text
            $0.kmsKeyId = properties["KmsKeyId"]?.text
            $0.type = properties["Type"]?.text
            // A secret of a stack always has a value, if an empty object.
            $0.secretString = value ?? "{}"
            $0.tags = tags.isEmpty ? nil : Self.wire(tags)
          })
        return Self.handle(made.arn ?? "")
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        let isValueNew =
          new["SecretString"] != old["SecretString"] || new["GenerateSecretString"] != old["GenerateSecretString"]
        let value = isValueNew ? try await Self.value(new, call) : nil
        _ = try await call.invoke(
          SecretsManager.updateSecret,
          .make {
            $0.secretId = handle.physicalID
            $0.description = new["Description"]?.text ?? (old["Description"] == nil ? nil : "")
            $0.kmsKeyId = new["KmsKeyId"]?.text ?? (old["KmsKeyId"] == nil ? nil : "")
            $0.type = new["Type"]?.text
            $0.secretString = value
          })
        try await Self.updateTags(handle.physicalID, new, context, call)
        return handle
      },
      delete: { handle, _, context in
        _ = try await context.call.viaCloudFormation.invoke(
          SecretsManager.deleteSecret,
          .make {
            $0.secretId = handle.physicalID
            // A stack's secret goes at once, so that a new stack can have the name.
            $0.forceDeleteWithoutRecovery = true
          })
      })
  }

  private static func handle(_ arn: String) -> ResourceHandle {
    ResourceHandle(arn, attributes: ["Id": .string(arn)])
  }

  /// The text that the properties give or describe; nil when they say nothing of it.
  private static func value(_ properties: JSONValue, _ call: CallContext) async throws -> String? {
    if let text = properties["SecretString"] {
      guard properties["GenerateSecretString"] == nil else {
        throw SecretsError.invalidRequest("SecretString and GenerateSecretString exclude each other.")
      }
      return text.text ?? text.description
    }
    guard let options = properties["GenerateSecretString"] else { return nil }
    let request = try PropertyMapper(SecretsManager.model).input(
      SecretsManager.getRandomPassword, options, ignoring: ["SecretStringTemplate", "GenerateStringKey"])
    let password = try await call.invoke(SecretsManager.getRandomPassword, request).randomPassword ?? ""
    switch (options["SecretStringTemplate"], options["GenerateStringKey"]?.text) {
    case (nil, nil): return password
    case (let template?, let key?):
      let text = template.text ?? template.description
      guard let parsed = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)), var members = parsed.object
      else { throw SecretsError.invalidRequest("SecretStringTemplate must be a JSON object.") }
      members[key] = .string(password)
      return JSONValue.object(members).description
    default:
      throw SecretsError.invalidRequest("SecretStringTemplate and GenerateStringKey must be used together.")
    }
  }

  private static func wire(_ tags: [String: String]) -> [SecretsManager.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  private static func updateTags(
    _ arn: String, _ new: JSONValue, _ context: ResourceContext, _ call: CallContext
  ) async throws {
    let wanted = context.allTags(new)
    let present = try await call.invoke(SecretsManager.describeSecret, .make { $0.secretId = arn }).tags ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.compactMap(\.key)) { obsolete in
      _ = try await call.invoke(SecretsManager.untagResource, .make { ($0.secretId, $0.tagKeys) = (arn, obsolete) })
    } add: { tags in
      _ = try await call.invoke(SecretsManager.tagResource, .make { ($0.secretId, $0.tags) = (arn, wire(tags)) })
    }
  }
}
