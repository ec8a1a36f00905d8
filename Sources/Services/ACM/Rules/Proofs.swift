// How names of a request are proven: the record that must be in DNS, and the addresses that mail would go to.

import AWSCore
import Crypto
import FoundationEssentials

enum Proofs {
  /// The record that proves a name: the same for one name of one account, and for the wildcard under it.
  static func proof(_ name: String, validationDomain: String?, _ account: String) -> CertificateRecord.Proof {
    let base = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
    let digest = hexadecimal(SHA256.hash(data: Data("\(account) \(base.lowercased())".utf8)))
    let halves = (digest.prefix(32), digest.suffix(32))
    let letters = digest.prefix(10).map { Character(UnicodeScalar(UInt8(ascii: "a") + UInt8($0.hexDigitValue ?? 0))) }
    return CertificateRecord.Proof(
      domain: name, validationDomain: validationDomain ?? base, name: "_\(halves.0).\(base).",
      value: "_\(halves.1).\(String(letters)).acm-validations.aws.")
  }

  /// The mailboxes that ACM writes to for a domain.
  static func addresses(_ domain: String) -> [String] {
    ["administrator", "hostmaster", "postmaster", "webmaster", "admin"].map { "\($0)@\(domain)" }
  }

  /// A domain name with at least two labels, maybe with a wildcard as its first.
  static func isDomain(_ name: String) -> Bool {
    let base = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
    let labels = base.split(separator: ".", omittingEmptySubsequences: false)
    return name.count <= 253 && labels.count >= 2
      && labels.allSatisfy { label in
        (1...63).contains(label.count) && label.first != "-" && label.last != "-"
          && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
      }
  }

  /// Names are compared without case and without their last dot.
  static func normal(_ name: String) -> String {
    let lower = name.lowercased()
    return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
  }
}
