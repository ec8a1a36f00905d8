// What a listener may be: its protocol, certificates, security policy, ALPN and mutual authentication.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

/// What CreateListener and ModifyListener say of a listener's transport.
struct TransportInput: Sendable {
  var protocolName: String?
  var certificates: [ELBv2.Certificate]?
  var policy: String?
  var alpn: [String]?
  var mutual: ELBv2.MutualAuthenticationAttributes?

  /// Sets this on a listener. What is not said stays, or has AWS's default where the protocol is new.
  /// - Throws: `UnsupportedProtocol`, `ValidationError`, `TooManyCertificates`, `SSLPolicyNotFound`,
  ///   `ALPNPolicyNotSupported`, `TrustStoreNotFound`, 501 for what is not built.
  func apply(to record: inout ListenerRecord, kind: LoadBalancerKind, _ snapshot: Snapshot, _ scope: Scope) throws {
    let name = protocolName ?? record.wireProtocol
    guard kind.protocols.contains(name) else {
      if ["QUIC", "TCP_QUIC", "GENEVE"].contains(name) {
        throw AWSError.notImplemented("listeners of protocol \(name)")
      }
      throw ELBv2Error.unsupportedProtocol(name, kind)
    }
    record.protocolName = name
    guard record.endsTLS else {
      try refuseTLS(name)
      record.certificates = nil
      record.securityPolicy = nil
      record.alpnPolicy = nil
      record.mutual = nil
      return
    }
    try applyCertificates(to: &record)
    if let policy, !policy.isEmpty {
      guard SecurityPolicies.contains(policy) else { throw ELBv2Error.policyNotFound(policy) }
      record.securityPolicy = policy
    }
    record.securityPolicy = record.securityPolicy ?? SecurityPolicies.standard
    try applyALPN(to: &record)
    try applyMutual(to: &record, snapshot, scope)
  }

  private func refuseTLS(_ name: String) throws {
    if let certificates, !certificates.isEmpty {
      throw ELBv2Error.validation("Certificates cannot be specified for \(name) listeners")
    }
    if let policy, !policy.isEmpty {
      throw ELBv2Error.validation("An SSL policy cannot be specified for \(name) listeners")
    }
    if let alpn, !alpn.isEmpty, alpn != ["None"] {
      throw ELBv2Error.validation("ALPN policies are only supported on TLS listeners")
    }
    if let mode = mutual?.mode, mode != "off" {
      throw ELBv2Error.validation("Mutual authentication is only supported on HTTPS listeners")
    }
  }

  private func applyCertificates(to record: inout ListenerRecord) throws {
    guard let certificates, !certificates.isEmpty else {
      guard record.certificates != nil else {
        throw ELBv2Error.validation("A certificate must be specified for \(record.wireProtocol) listeners")
      }
      return
    }
    guard certificates.count == 1 else {
      throw AWSError("TooManyCertificates", "You can specify one certificate only: the default certificate")
    }
    guard let arn = certificates[0].certificateArn, !arn.isEmpty else {
      throw ELBv2Error.validation("A certificate ARN must be specified")
    }
    guard certificates[0].isDefault == nil else {
      throw ELBv2Error.validation("The default certificate is not marked as such in requests")
    }
    // The certificates that were added stay.
    record.certificates = [arn] + (record.certificates ?? []).dropFirst().filter { $0 != arn }
  }

  private func applyALPN(to record: inout ListenerRecord) throws {
    guard let alpn, !alpn.isEmpty else { return }
    guard record.wireProtocol == "TLS" else {
      guard alpn == ["None"] else { throw ELBv2Error.validation("ALPN policies are only supported on TLS listeners") }
      return
    }
    let known = ["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"]
    guard alpn.count == 1, known.contains(alpn[0]) else {
      throw AWSError("ALPNPolicyNotFound", "ALPN policy '\(alpn[0])' must be one of '\(known.joined(separator: ", "))'")
    }
    record.alpnPolicy = alpn[0] == "None" ? nil : alpn[0]
  }

  private func applyMutual(to record: inout ListenerRecord, _ snapshot: Snapshot, _ scope: Scope) throws {
    guard let mutual, let mode = mutual.mode else { return }
    guard ["off", "passthrough", "verify"].contains(mode) else {
      throw ELBv2Error.validation("Mutual authentication mode '\(mode)' must be one of 'off, passthrough, verify'")
    }
    guard mode == "off" || record.wireProtocol == "HTTPS" else {
      throw ELBv2Error.validation("Mutual authentication is only supported on HTTPS listeners")
    }
    guard mode != "off" else {
      record.mutual = nil
      return
    }
    var new = MutualRecord(mode: mode)
    if mode == "verify" {
      guard let arn = mutual.trustStoreArn, !arn.isEmpty else {
        throw ELBv2Error.validation("A trust store ARN must be specified when mutual authentication mode is verify")
      }
      new.trustStore = try snapshot.trustStore(arn, scope).arn
      new.ignoresExpiry = mutual.ignoreClientCertificateExpiry ?? false
      new.advertises = mutual.advertiseTrustStoreCaNames ?? "off"
    } else if mutual.trustStoreArn?.isEmpty == false || mutual.ignoreClientCertificateExpiry == true {
      throw ELBv2Error.validation("A trust store is only used when mutual authentication mode is verify")
    }
    record.mutual = new
  }
}
