// Names in certificates (RFC 5280, sections 4.1.2.4 and 4.2.1.6) in the shapes of SearchCertificates.

import ACMModel
import AWSCore
import AWSWire
import Glibc
import SwiftASN1
import X509

enum X509Names {
  /// The attributes that have a member of their own. What is there a second time, and every other one, is told among the
  /// custom attributes, so that nothing is left out.
  static func distinguished(_ name: DistinguishedName) -> ACM.DistinguishedName {
    var told = ACM.DistinguishedName()
    for attribute in name.flatMap(Array.init) {
      let text = String(attribute.value) ?? "\(attribute.value)"
      if attribute.type == .RDNAttributeType.domainComponent {
        told.domainComponents = (told.domainComponents ?? []) + [text]
      } else if let member = members[attribute.type], told[keyPath: member] == nil {
        told[keyPath: member] = text
      } else {
        let custom = ACM.CustomAttribute.make {
          $0.objectIdentifier = "\(attribute.type)"
          $0.value = text
        }
        told.customAttributes = (told.customAttributes ?? []) + [custom]
      }
    }
    return told
  }

  private typealias Member = WritableKeyPath<ACM.DistinguishedName, String?> & Sendable

  private static let members: [ASN1ObjectIdentifier: any Member] = [
    .NameAttributes.commonName: \.commonName, .NameAttributes.countryName: \.country,
    .NameAttributes.dnQualifier: \.distinguishedNameQualifier,
    .NameAttributes.generationQualifier: \.generationQualifier, .NameAttributes.givenName: \.givenName,
    .NameAttributes.initials: \.initials, .NameAttributes.localityName: \.locality,
    .NameAttributes.organizationName: \.organization,
    .NameAttributes.organizationalUnitName: \.organizationalUnit, .NameAttributes.pseudonym: \.pseudonym,
    .NameAttributes.serialNumber: \.serialNumber, .NameAttributes.stateOrProvinceName: \.state,
    .NameAttributes.surname: \.surname, .NameAttributes.title: \.title,
  ]

  /// Nil for the two kinds that have no member (X.400 addresses, EDI party names).
  static func general(_ name: GeneralName) -> ACM.GeneralName? {
    var told = ACM.GeneralName()
    switch name {
    case .dnsName(let name): told.dnsName = name
    case .rfc822Name(let name): told.rfc822Name = name
    case .uniformResourceIdentifier(let name): told.uniformResourceIdentifier = name
    case .registeredID(let identifier): told.registeredId = "\(identifier)"
    case .directoryName(let name): told.directoryName = distinguished(name)
    case .ipAddress(let octets): told.ipAddress = address(Array(octets.bytes))
    case .otherName(let other):
      told.otherName = .make {
        $0.objectIdentifier = "\(other.typeID)"
        $0.value = other.value.map(text)
      }
    case .x400Address, .ediPartyName: return nil
    }
    return told
  }

  /// A string as it is, anything else as the hexadecimal digits of its encoding.
  private static func text(_ value: ASN1Any) -> String {
    String(RelativeDistinguishedName.Attribute.Value(asn1Any: value)) ?? hexadecimal(encoded(value))
  }

  private static func encoded(_ value: ASN1Any) -> [UInt8] {
    var serializer = DER.Serializer()
    guard (try? serializer.serialize(value)) != nil else { return [] }
    return serializer.serializedBytes
  }

  /// IPv4 and IPv6; anything else, which no address is, as hexadecimal digits.
  private static func address(_ bytes: [UInt8]) -> String {
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    guard bytes.count == 4 || bytes.count == 16 else { return hexadecimal(bytes) }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return hexadecimal(bytes) }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
