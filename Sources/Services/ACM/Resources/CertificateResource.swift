// AWS::CertificateManager::Certificate and ::Account for CloudFormation.

import ACMModel
import AWSCore
import AWSWire
import Route53Model
import ServiceKit
import Store

extension ACMService {
  /// Ref is the ARN. Creation waits until the certificate is issued; where a domain names its hosted zone, the record
  /// that proves it is put there, and stays there, as with AWS.
  var certificateProvider: ResourceProvider {
    ResourceProvider(
      "AWS::CertificateManager::Certificate",
      properties: [
        "CertificateAuthorityArn", "CertificateExport", "CertificateTransparencyLoggingPreference", "DomainName",
        "DomainValidationOptions", "KeyAlgorithm", "SubjectAlternativeNames", "Tags", "ValidationMethod",
      ],
      replacedBy: [
        "CertificateAuthorityArn", "CertificateExport", "DomainName", "DomainValidationOptions", "KeyAlgorithm",
        "SubjectAlternativeNames", "ValidationMethod",
      ],
      create: { properties, context in
        let call = context.call
        let arn = try await request(properties, context)
        do {
          try await addRecords(arn, properties, call)
        } catch {
          // The stack does not know of it yet.
          _ = try? await call.invoke(ACM.deleteCertificate, .make { $0.certificateArn = arn })
          throw error
        }
        return ResourceHandle(arn, attributes: ["Id": .string(arn), "CertificateArn": .string(arn)])
      },
      stabilize: { handle, context in
        try await untilIssued(handle.physicalID, context.call)
        return handle
      },
      update: { handle, old, new, context in
        if let wanted = new["CertificateTransparencyLoggingPreference"]?.text,
          wanted != old["CertificateTransparencyLoggingPreference"]?.text
        {
          _ = try await context.call.invoke(
            ACM.updateCertificateOptions,
            .make {
              $0.certificateArn = handle.physicalID
              $0.options = .make { $0.certificateTransparencyLoggingPreference = wanted }
            })
        }
        try await retag(handle.physicalID, new, context)
        return handle
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(["ResourceNotFoundException"]) {
          try await context.call.invoke(ACM.deleteCertificate, .make { $0.certificateArn = handle.physicalID })
        }
      })
  }

  private func request(_ properties: JSONValue, _ context: ResourceContext) async throws -> String {
    guard let domain = properties["DomainName"]?.text else {
      throw AWSError.validation("Properties validation failed: #: required key [DomainName] not found")
    }
    let options = (properties["DomainValidationOptions"]?.array ?? []).compactMap { option in
      option["ValidationDomain"]?.text.map { validation in
        ACM.DomainValidationOption.make {
          $0.domainName = option["DomainName"]?.text ?? ""
          $0.validationDomain = validation
        }
      }
    }
    let made = try await context.call.invoke(
      ACM.requestCertificate,
      .make {
        $0.domainName = domain
        $0.subjectAlternativeNames = properties["SubjectAlternativeNames"]?.array?.compactMap(\.text)
        $0.validationMethod = properties["ValidationMethod"]?.text
        $0.domainValidationOptions = options.isEmpty ? nil : options
        $0.keyAlgorithm = properties["KeyAlgorithm"]?.text
        $0.certificateAuthorityArn = properties["CertificateAuthorityArn"]?.text
        $0.options = .make {
          $0.certificateTransparencyLoggingPreference = properties["CertificateTransparencyLoggingPreference"]?.text
          $0.export = properties["CertificateExport"]?.text
        }
        $0.tags = Self.tags(properties, context)
      })
    guard let arn = made.certificateArn else {
      throw AWSError("InternalFailure", "RequestCertificate told no certificate.", status: 500)
    }
    return arn
  }

  /// The stack's tags, and over them the resource's own.
  private static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [ACM.Tag]? {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] {
      if let key = tag["Key"]?.text { all[key] = tag["Value"]?.text ?? "" }
    }
    guard !all.isEmpty else { return nil }
    return all.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  private func retag(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let wanted = Self.tags(new, context) ?? []
    let present = try await context.call.invoke(ACM.listTagsForCertificate, .make { $0.certificateArn = arn }).tags
    let obsolete = (present ?? []).filter { tag in !wanted.contains { $0.key == tag.key } }
    if !obsolete.isEmpty {
      _ = try await context.call.invoke(
        ACM.removeTagsFromCertificate,
        .make {
          $0.certificateArn = arn
          $0.tags = obsolete
        })
    }
    if !wanted.isEmpty {
      _ = try await context.call.invoke(
        ACM.addTagsToCertificate,
        .make {
          $0.certificateArn = arn
          $0.tags = wanted
        })
    }
  }

  /// Puts the records of the domains whose hosted zone is named.
  private func addRecords(_ arn: String, _ properties: JSONValue, _ call: CallContext) async throws {
    let found = try await call.invoke(ACM.describeCertificate, .make { $0.certificateArn = arn }).certificate
    for option in properties["DomainValidationOptions"]?.array ?? [] {
      guard let zone = option["HostedZoneId"]?.text else { continue }
      let domain = option["DomainName"]?.text
      guard
        let record = found?.domainValidationOptions?.first(where: { $0.domainName == domain })?.resourceRecord,
        let name = record.name, let value = record.value
      else { continue }
      _ = try await call.invoke(
        Route53.changeResourceRecordSets,
        .make {
          $0.hostedZoneId = zone
          $0.changeBatch = .make {
            $0.changes = [
              .make {
                $0.action = "UPSERT"
                $0.resourceRecordSet = .make {
                  $0.name = name
                  $0.type = "CNAME"
                  $0.ttl = 300
                  $0.resourceRecords = [.make { $0.value = value }]
                }
              }
            ]
          }
        })
    }
  }

  private func untilIssued(_ arn: String, _ call: CallContext) async throws {
    let changes = store.changes(in: [CertificateRecord.collection])
    if try await isIssued(arn, call) { return }
    for await _ in changes where try await isIssued(arn, call) { return }
    try Task.checkCancellation()
  }

  private func isIssued(_ arn: String, _ call: CallContext) async throws -> Bool {
    let found = try await certificate(arn, call)
    let status = found.status(environment.clock.now)
    guard status == "ISSUED" || status == "PENDING_VALIDATION" else {
      throw AWSError("ValidationException", "The certificate \(arn) was not issued: \(status)")
    }
    return status == "ISSUED"
  }

  /// Ref is the account's number.
  var accountProvider: ResourceProvider {
    let put: @Sendable (JSONValue, ResourceContext) async throws -> ResourceHandle = { properties, context in
      _ = try await context.call.invoke(
        ACM.putAccountConfiguration,
        .make {
          $0.expiryEvents = .make {
            $0.daysBeforeExpiry = properties["ExpiryEventsConfiguration"]?["DaysBeforeExpiry"]?.integer
          }
          $0.idempotencyToken = context.call.ids.uuid().filter { $0 != "-" }
        })
      return ResourceHandle(context.call.account, attributes: ["AccountId": .string(context.call.account)])
    }
    return ResourceProvider(
      "AWS::CertificateManager::Account", properties: ["ExpiryEventsConfiguration"], create: put,
      update: { _, _, new, context in try await put(new, context) }, delete: { _, _, _ in })
  }
}
